"""The offline verifier: what a stranger with a receipt and a key can find out, without us."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from app.api_keys import Scope
from app.ledger import verifier
from app.ledger.signing import sign
from app.ledger.verifier import Key, Trust, examine_receipt
from tests.commands import ROOT, Jawel
from tests.features.conftest import OpenService
from tests.receipts import KEY, SIGNER, receipt_text, signed_anew, wrong
from tests.service import Service


@pytest.fixture
def text(service: Service) -> str:
    """The receipt of somebody who confirmed, as a file holds it."""
    service.confirmed(language="en")
    return receipt_text(service)


def test_a_receipt_convinces_who_has_the_key(text: str, tmp_path: Path, jawel: Jawel) -> None:
    path = tmp_path / "receipt.json"
    path.write_text(text, encoding="utf-8")
    result = jawel("verify", path, "--key", str(KEY))
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert {line[:5] for line in lines[:-1]} == {"ok   "}
    assert "sealed at position 2 of the log subscribe.example.org, under its checkpoint of 3 entries" in lines[4]
    assert "confirmed at" in result.stdout
    assert "by the mailbox holder" in result.stdout
    assert lines[-1] == "Everything that it claims holds."


def test_the_verifier_alone_in_a_folder_says_the_same(text: str, tmp_path: Path, jawel: Jawel) -> None:
    """With `cryptography` and nothing else of what Jawel needs: its other packages and its own are out of reach."""
    (tmp_path / "receipt.json").write_text(text, encoding="utf-8")
    (tmp_path / "key.txt").write_text(f"{KEY}\n", encoding="utf-8")
    alone = alone_in(tmp_path)
    good = alone("receipt.json", "--key", "key.txt")
    assert (good.returncode, good.stderr) == (0, "")
    assert good.stdout == jawel("verify", tmp_path / "receipt.json", "--key", str(KEY)).stdout
    (tmp_path / "receipt.json").write_text(text.replace("weekly letter", "daily letter"), encoding="utf-8")
    bad = alone("receipt.json", "--key", "key.txt")
    assert bad.returncode == 1
    assert "WRONG  The exact words: a text is not the one that was shown" in bad.stdout
    assert "do not rely on it" in bad.stdout


class Alone:
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-I", "-S", "-c", self.START, *arguments]
        return subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=False)

    START = "import runpy, sys; sys.path = [p for p in sys.path if 'site-packages' not in p] + ['packages']; "
    START += "runpy.run_path('verifier.py', run_name='__main__')"


def alone_in(folder: Path) -> Alone:
    shutil.copy(ROOT / "app/ledger/verifier.py", folder)
    installed = Path(next(path for path in sys.path if path.endswith("site-packages")))
    (folder / "packages").mkdir()
    for name in ("cryptography", "cffi", "_cffi_backend*", "pycparser"):
        for found in installed.glob(name):
            (folder / "packages" / found.name).symlink_to(found)
    return Alone(folder)


def test_a_key_of_somebody_else_shows_nothing(text: str) -> None:
    other = Key.of(KEY.name, bytes(32))
    assert len(wrong(examine_receipt(text, Trust([other])))) >= 4
    renamed = Key.of("elsewhere.example.org", KEY.public)
    assert len(wrong(examine_receipt(text, Trust([renamed])))) >= 4


@pytest.mark.parametrize("engine", ["sqlite"])
class TestMutations:
    """What is changed is found, whichever bit it is."""

    def test_a_bit_of_every_byte_of_the_file(self, text: str, capsys: pytest.CaptureFixture[str]) -> None:
        data = text.rstrip().encode()
        for place in range(len(data)):
            changed = bytearray(data)
            changed[place] ^= 1 << place * 5 % 8
            assert wrong(examine_receipt(changed.decode(errors="replace"), Trust([KEY]))), place
        told(capsys, f"{len(data)} bytes of a receipt changed by a bit, {len(data)} found")

    @pytest.mark.parametrize("field", ["evidence", "salt", "evidence_hash", "tlog_proof"])
    def test_every_bit_of_what_the_log_proves_even_by_who_holds_its_key(
        self, text: str, field: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        receipt = json.loads(text)
        (event,) = [each for each in receipt["record"]["events"] if each["type"] == "subscription.confirmed"]
        data, tried = event[field].encode(), 0
        for place in range(len(data)):
            for bit in range(8):
                changed = bytearray(data)
                changed[place] ^= 1 << bit
                event[field] = changed.decode(errors="replace")
                tried += 1
                assert wrong(examine_receipt(signed_anew(receipt), Trust([KEY]))), (place, bit)
        told(capsys, f"{tried} bits of {field} changed beneath a good signature, {tried} found")


def told(capsys: pytest.CaptureFixture[str], figures: str) -> None:
    with capsys.disabled():
        sys.stdout.write(f"\n{figures}\n")


Part = dict[str, Any]
UNSEEN = {"sha256": sha256(b"Yes, and my friends too.").hexdigest(), "text": "Yes, and my friends too."}
FORGERIES: dict[str, Callable[[Part, Part, list[Part]], object]] = {
    "without the request": lambda _receipt, _record, events: events.pop(0),
    "in another order": lambda _receipt, _record, events: events.reverse(),
    "an event twice": lambda _receipt, _record, events: events.append(events[-1]),
    "a state that does not follow": lambda _receipt, _record, events: events[2].update(
        event_state="dpv:ConsentRefused"
    ),
    "another time": lambda _receipt, _record, events: events[2].update(event_time="2036-01-01T00:00:00.000Z"),
    "another actor": lambda _receipt, _record, events: events[0].update(entity_id="mailbox holder"),
    "another position": lambda _receipt, _record, events: events[2].update(position=7),
    "not in the log": lambda _receipt, _record, events: events[2].update(tlog_proof=None, position=None),
    "an erased confirmation": lambda _receipt, _record, events: events[2].update(evidence=None, salt=None),
    "another standing": lambda _receipt, record, _events: record.update(consent_state="dpv:ConsentWithdrawn"),
    "another person": lambda _receipt, record, _events: record.update(pii_principal_id=record["record_id"]),
    "another address": lambda _receipt, record, _events: record.update(pii_principal_email="grace@example.org"),
    "other words": lambda _receipt, record, _events: record["consent_text"].update(text="Yes, call me at any hour."),
    "the purpose for a notice": lambda _receipt, record, _events: record["privacy_notice"].update(
        sha256=sha256(record["purposes"][0]["name"].encode()).hexdigest()
    ),
    "another control": lambda _receipt, record, _events: record["purposes"][0].update(control={"type": "button"}),
    "consent that is not there": lambda _receipt, record, _events: record["purposes"][0].update(granted=False),
    "words that nobody was shown": lambda receipt, _record, _events: receipt["wordings"].append(UNSEEN),
    "a word less": lambda receipt, _record, _events: receipt["wordings"].pop(),
    "another kind of file": lambda receipt, _record, _events: receipt.update(profile="urn:jawel:consent-receipt:2"),
}


@pytest.mark.parametrize("engine", ["sqlite"])
@pytest.mark.parametrize("forgery", FORGERIES)
def test_not_even_who_holds_the_key_of_the_log_can_forge(text: str, forgery: str) -> None:
    receipt = json.loads(text)
    assert wrong(examine_receipt(signed_anew(receipt), Trust([KEY]))) == []
    FORGERIES[forgery](receipt, receipt["record"], receipt["record"]["events"])
    assert wrong(examine_receipt(signed_anew(receipt), Trust([KEY])))


@pytest.mark.parametrize("engine", ["sqlite"])
@pytest.mark.parametrize(
    "nonsense", ["", "[]", "{}", "null", '{"a":1,"a":2}', '{"a":1.5}', "[" * 100_000, '{"profile":"x"}', '"\ud800"']
)
def test_what_is_no_receipt_is_said_to_be_none(nonsense: str, engine: str) -> None:
    (finding,) = examine_receipt(nonsense, Trust([KEY]))
    assert finding.holds is False


@pytest.mark.parametrize("engine", ["sqlite"])
def test_a_receipt_with_pieces_of_another_shape_is_refused_and_not_stumbled_over(text: str, engine: str) -> None:
    for path in paths(json.loads(text)):
        for odd in (None, 0, True, "", "x", [], [0], {}, {"": 0}):
            receipt = json.loads(text)
            at = receipt
            for step in path[:-1]:
                at = at[step]
            if at[path[-1]] != odd or type(at[path[-1]]) is not type(odd):
                at[path[-1]] = odd
                assert wrong(examine_receipt(json.dumps(receipt), Trust([KEY]))), (path, odd)


def paths(value: Any) -> Iterator[list[Any]]:
    """To every value in a document but the document itself; of the @context one will do."""
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, inner in steps:
        yield [step]
        if step != "@context":
            yield from ([step, *rest] for rest in paths(inner))


@pytest.fixture
def growth(service: Service, tmp_path: Path) -> list[str | Path]:
    """Options that name what the log answered, as somebody kept it in files."""
    sizes, reader = [], service.key(Scope.EVENTS_READ)
    for address in ("ada@example.org", "grace@example.org"):
        service.confirmed(address)
        service.work()
        newest = service.get("/checkpoint", headers=reader).text
        sizes.append(newest.splitlines()[1])
        kept(tmp_path, f"checkpoint-{len(sizes)}", newest)
    proof = service.get(f"/log/consistency?from={sizes[0]}&to={sizes[1]}", headers=reader).text
    key = kept(tmp_path, "key", service.get("/log/key").text)
    files = [tmp_path / "checkpoint-1", tmp_path / "checkpoint-2", kept(tmp_path, "proof", proof)]
    options = zip(("--checkpoint", "--newer", "--consistency"), files, strict=True)
    return ["--key", key, *(each for option in options for each in option)]


def kept(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_later_checkpoint_is_shown_to_add_to_an_earlier_one(growth: list[str | Path], jawel: Jawel) -> None:
    good = jawel("verify", *growth)
    assert good.exit_code == 0, good.output
    assert "the log of 6 entries holds the 3 of the earlier checkpoint unchanged" in good.stdout
    assert verifier.main([str(each) for each in growth]) == 0


def test_a_log_that_was_written_anew_is_found_out(growth: list[str | Path], tmp_path: Path, jawel: Jawel) -> None:
    kept(tmp_path, "checkpoint-1", sign(str(verifier.Checkpoint(KEY.name, 3, bytes(32))), [SIGNER]))
    found = jawel("verify", *growth)
    assert found.exit_code == 1
    assert "WRONG  From one to the other: the later log does not hold the earlier one unchanged" in found.stdout
    kept(tmp_path, "checkpoint-1", sign(str(verifier.Checkpoint(KEY.name, 2, bytes(32))), [SIGNER]))
    assert "the consistency proof is about other sizes" in jawel("verify", *growth).stdout
    kept(tmp_path, "checkpoint-1", sign(str(verifier.Checkpoint("other.example.org", 3, bytes(32))), [SIGNER]))
    assert "WRONG  The earlier checkpoint" in jawel("verify", *growth).stdout


def test_a_receipt_outlives_the_key_that_signed_it(open_service: OpenService) -> None:
    old = open_service()
    old.confirmed()
    kept_since = receipt_text(old)
    new = open_service(log_signing_keys=(bytes(32), bytes(range(32))))
    new.confirmed("grace@example.org", newsletters="events")
    newer = receipt_text(new, "events")
    keys = [Key.parse(line) for line in new.get("/log/key").text.splitlines()]
    assert [len(keys), keys[1]] == [2, KEY]
    for text in (kept_since, newer):
        assert wrong(examine_receipt(text, Trust(keys))) == []
        assert json.loads(text)["log_keys"][-1] == str(KEY)
    assert wrong(examine_receipt(newer, Trust([KEY]))) != []


@pytest.mark.parametrize(
    "arguments", [(), ("--key", str(KEY)), ("--checkpoint", "README.md", "--key", str(KEY)), ("README.md",)]
)
def test_a_command_that_says_too_little_is_told_what_is_missing(arguments: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("x", encoding="utf-8")
    found = [str(tmp_path / each) if each == "README.md" else each for each in arguments]
    assert Jawel({}, tmp_path)("verify", *found).exit_code == 2
    with pytest.raises(SystemExit) as ended:
        verifier.main(found)
    assert ended.value.code == 2
