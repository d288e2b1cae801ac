"""`jawel feedback --explain`: what each file would be taken for, and why, without an address and without any effect."""

import base64
import json
import re
from pathlib import Path
from typing import Any

import pytest

from app.feedback import explaining
from app.feedback_mail import processor_time
from tests.commands import ROOT, Jawel
from tests.costly_mails import COSTLY
from tests.engines import on_sqlite
from tests.returned_mails import absence, complained, returned
from tests.service import Service

BOUNCES = sorted((ROOT / "tests" / "bounces").glob("*.eml"))
A_THOUSAND_SECONDS = 10
"""Of processor time, for a thousand mails: they take a fifth of it."""
TOKEN = "feedback+uTOKEN@example.org"
APPLE = "From: mary@example.net\nTo: {to}\nSubject: unsubscribe\nAuto-Submitted: auto-replied\n\nPressed.\n"


def explained(jawel: Jawel, *arguments: str | Path) -> list[dict[str, Any]]:
    result = jawel.fed(b"", "feedback", "--explain", *arguments)
    assert (result.exit_code, result.stderr) == (0, "")
    return [json.loads(line) for line in result.stdout.splitlines()]


@pytest.fixture
def unset(jawel: Jawel) -> Jawel:
    """On a machine without any setting, and so without a database."""
    return Jawel({}, jawel.folder)


def of(name: str) -> Path:
    return ROOT / "tests" / "bounces" / f"{name}.eml"


@on_sqlite
def test_each_file_has_a_line_that_says_what_it_would_be_taken_for_and_why(unset: Jawel) -> None:
    lines = explained(unset, *map(of, ["yandex-no-such-user", "gmx-no-account", "hotmail-complaint", "absence"]))
    assert lines == [
        {
            "file": str(of("yandex-no-such-user")),
            "verdict": "hard_bounce",
            "counted": True,
            "reader": "dsn",
            "code": "5.7.1",
            "words": "No such user",
        },
        {
            "file": str(of("gmx-no-account")),
            "verdict": "hard_bounce",
            "counted": True,
            "reader": "text",
            "code": "5.1.1",
            "words": "RCPT TO command, host: mx.….… reason: the account does not exist",
        },
        {
            "file": str(of("hotmail-complaint")),
            "verdict": "complaint",
            "counted": False,
            "reader": "jmrp",
            "code": "",
            "words": "",
        },
        {"file": str(of("absence")), "verdict": "none", "counted": False, "reader": "none", "code": "", "words": ""},
    ]


@on_sqlite
def test_a_soft_bounce_tells_whether_it_counts(unset: Jawel) -> None:
    lines = explained(unset, *map(of, ["gateway-says-gone-of-full", "godaddy-too-many-recipients"]))
    assert [(line["verdict"], line["counted"], line["code"], line["words"]) for line in lines] == [
        ("soft_bounce", True, "5.2.2", "over quota"),
        ("soft_bounce", False, "5.1.1", "too many"),
    ]


@on_sqlite
def test_words_are_shown_too_where_none_of_them_decided(unset: Jawel) -> None:
    (line,) = explained(unset, of("dragonfly-given-up"))
    assert (line["verdict"], line["counted"]) == ("soft_bounce", True)
    assert "Could not deliver for the last 432000 seconds" in line["words"]


@on_sqlite
def test_of_whoever_the_mail_is_no_address_is_told(unset: Jawel) -> None:
    lines = explained(unset, *BOUNCES)
    assert len(lines) == len(BOUNCES) > 100
    for line in lines:
        told = json.dumps({**line, "file": ""}, ensure_ascii=False).lower()
        assert not [each for each in ("@", "ada", "grace", "example", "192.0.2") if each in told], line["file"]


HIDDEN = base64.b64encode(b"550 mailbox of jo.li at pz does not take mail: jo.li@pz.example.org, o@pz.example.org")
ENCODED = (
    b"From: MAILER-DAEMON@mx.example.net\r\nSubject: Undelivered\r\nMIME-Version: 1.0\r\n"
    b"Content-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\n" + HIDDEN + b"\r\n"
)


@on_sqlite
def test_nor_a_short_one_or_one_that_only_a_decoded_part_has(unset: Jawel, tmp_path: Path) -> None:
    (tmp_path / "encoded.eml").write_bytes(ENCODED)
    (line,) = explained(unset, tmp_path / "encoded.eml")
    assert line["verdict"] == "soft_bounce"
    assert "does not take mail" in line["words"]
    assert not {"jo", "li", "pz", "o"} & set(re.findall(r"\w+", line["words"]))


@on_sqlite
@pytest.mark.parametrize(
    ("to", "option", "verdict"),
    [
        (TOKEN, [], "unsubscribe"),
        ("feedback+u" + "a2" * 21 + "@example.org", [], "unsubscribe"),
        ("news@example.org", ["--to", TOKEN], "unsubscribe"),
        ("news@example.org", [], "unsubscribe"),
    ],
)
def test_a_mail_to_an_unsubscribe_address_leaves_whoever_it_is(
    unset: Jawel, tmp_path: Path, to: str, option: list[str], verdict: str
) -> None:
    (tmp_path / "apple.eml").write_text(APPLE.format(to=to))
    (line,) = explained(unset, *option, tmp_path / "apple.eml")
    assert (line["verdict"], line["reader"]) == (verdict, "unsubscribe")


@on_sqlite
def test_an_absence_that_is_sent_there_does_not(unset: Jawel) -> None:
    (line,) = explained(unset, "--to", TOKEN, of("absence-with-null-sender"))
    assert line["verdict"] == "none"


@on_sqlite
def test_it_changes_nothing(service: Service, jawel: Jawel, tmp_path: Path) -> None:
    letter = service.confirmed()
    before = service.counts()
    mails = {"bounce": returned(letter), "complaint": complained(letter), "absence": absence(letter)}
    for name, mail in mails.items():
        (tmp_path / name).write_bytes(mail)
    lines = explained(jawel, *(tmp_path / name for name in mails))
    assert [line["verdict"] for line in lines] == ["hard_bounce", "complaint", "none"]
    assert service.counts() == before


@on_sqlite
def test_what_is_no_mail_or_costs_too_much_has_a_line_too(unset: Jawel, tmp_path: Path) -> None:
    (tmp_path / "noise").write_bytes(bytes(range(256)) * 1000)
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "costly").write_bytes(COSTLY["nested multiparts"](1024 * 1024))
    lines = explained(unset, *(tmp_path / name for name in ("noise", "empty", "costly")))
    assert [line["verdict"] for line in lines] == ["none"] * 3


@on_sqlite
@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--explain"], "--explain needs a FILE"),
        (["--explain", "/nowhere.eml"], "/nowhere.eml"),
        (["/dev/null/nowhere.eml"], "FILE goes with --explain"),
        ([str(BOUNCES[0])], "FILE goes with --explain"),
    ],
)
def test_what_is_asked_wrongly_is_told_and_nothing_is_read(unset: Jawel, arguments: list[str], told: str) -> None:
    result = unset.fed(b"", "feedback", *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert told in result.stderr


def test_a_thousand_mails_are_read_within_the_promised_time() -> None:
    """Processor time, not time: a machine may be busy with other things."""
    mails = [each.read_bytes() for each in BOUNCES]
    try:
        with processor_time.at_most(A_THOUSAND_SECONDS):
            for number in range(1000):
                explaining.explain(mails[number % len(mails)], None)
    except processor_time.Exceeded:
        pytest.fail("it takes too long", pytrace=False)
