"""Anchors: a time-stamping authority says when a checkpoint was there. It is never waited for."""

import hashlib
import json
from itertools import pairwise
from pathlib import Path

import pytest
import time_machine
from cryptography import x509
from rfc3161_client import VerifierBuilder, decode_timestamp_response

from app import clock
from app.ledger.verifier import InclusionProof
from tests import timestamps
from tests.commands import Jawel
from tests.features.conftest import OpenService
from tests.log import newest
from tests.receipts import KEY, receipt, receipt_text
from tests.service import Service
from tests.timestamps import Authority


@pytest.fixture
def anchored(open_service: OpenService, authority: Authority) -> Service:
    return open_service(timestamp_authorities=(authority.url,))


def test_the_newest_checkpoint_is_anchored_with_an_authority(anchored: Service, authority: Authority) -> None:
    anchored.confirmed()
    anchored.work()
    anchor = anchored.rows("SELECT size, response FROM anchors ORDER BY size")[0]
    note = anchored.rows(f"SELECT note FROM checkpoints WHERE size = {anchor.size}")[0].note
    root = x509.load_pem_x509_certificate(authority.root.read_bytes())
    response = decode_timestamp_response(bytes(anchor.response))
    assert VerifierBuilder().add_root_certificate(root).build().verify(response, hashlib.sha256(note.encode()).digest())


def test_it_is_asked_again_after_an_hour_and_only_if_the_log_has_grown(anchored: Service, authority: Authority) -> None:
    with time_machine.travel(clock.now(), tick=False) as time:
        anchored.subscribe("first@example.org")
        anchored.work()
        assert authority.asked == 1
        anchored.subscribe("second@example.org")
        anchored.work()
        assert authority.asked == 1, "not twice within the hour"
        time.shift(3600)
        anchored.work()
        assert authority.asked == 2
        time.shift(3600)
        anchored.work()
        assert authority.asked == 2, "nothing was added since"


@pytest.mark.parametrize(
    ("status", "answer"),
    [(200, b""), (200, b"no DER at all"), (503, None), (302, None)],
)
def test_an_authority_that_answers_badly_holds_nothing_up_and_is_asked_again(
    anchored: Service, authority: Authority, status: int, answer: bytes | None
) -> None:
    authority.status, authority.answer_with = status, answer
    anchored.confirmed()
    anchored.work()
    assert "\n3\n" in newest(anchored)
    assert anchored.counts()["anchors"] == 0
    authority.status, authority.answer_with = 200, None
    anchored.work()
    assert anchored.counts()["anchors"] == 1


def test_an_answer_to_another_question_is_not_kept(anchored: Service, authority: Authority) -> None:
    anchored.subscribe("first@example.org")
    anchored.work()
    authority.answer_with = bytes(anchored.rows("SELECT response FROM anchors")[0].response)
    with time_machine.travel(clock.now().replace(year=clock.now().year + 1)):
        anchored.subscribe("second@example.org")
        anchored.work()
    assert anchored.counts()["anchors"] == 1


def test_an_authority_that_is_down_holds_nothing_up(open_service: OpenService) -> None:
    service = open_service(timestamp_authorities=("http://127.0.0.1:1/stamp",))
    service.confirmed()
    service.work()
    assert "\n3\n" in newest(service)
    assert service.counts()["anchors"] == 0


def test_a_receipt_shows_since_when_the_consent_is_on_record(
    anchored: Service, authority: Authority, jawel: Jawel, tmp_path: Path
) -> None:
    anchored.confirmed()
    for number in range(3):
        anchored.subscribe(f"later{number}@example.org", newsletters="events")
    verdict = examined(anchored, jawel, tmp_path, "--authority", authority.root)
    assert verdict.startswith("ok     Time stamp 1: an authority saw the log of ")
    assert "all that is in it is older" in verdict


def test_without_the_authority_a_stamp_is_named_and_not_believed(
    anchored: Service, jawel: Jawel, tmp_path: Path
) -> None:
    anchored.confirmed()
    verdict = examined(anchored, jawel, tmp_path)
    assert verdict.startswith("note   1 time stamps (RFC 3161) are in it, not checked here: name the authority's root")


def test_a_stamp_of_an_authority_that_was_not_named_is_refuted(anchored: Service, jawel: Jawel, tmp_path: Path) -> None:
    anchored.confirmed()
    with timestamps.running(tmp_path / "another") as another:
        verdict = examined(anchored, jawel, tmp_path, "--authority", another.root)
    assert verdict == ("WRONG  Time stamp 1: it is not by an authority that was named, or not about this checkpoint")


def test_the_proof_leads_to_the_first_checkpoint_that_was_stamped(anchored: Service) -> None:
    with time_machine.travel(clock.now(), tick=False) as time:
        anchored.confirmed()
        anchored.work()
        first = anchored.rows("SELECT min(size) FROM anchors")[0][0]
        time.shift(7200)
        anchored.subscribe("later@example.org", newsletters="events")
        anchored.work()
        found = receipt(anchored)
    requested = InclusionProof.parse(found["record"]["events"][0]["tlog_proof"])
    assert int(requested.checkpoint.split("\n")[1]) == first
    assert requested.checkpoint in [token["checkpoint"] for token in found["timestamp_tokens"]]


def test_the_checkpoints_of_a_receipt_are_tied_together(anchored: Service, jawel: Jawel, tmp_path: Path) -> None:
    with time_machine.travel(clock.now(), tick=False) as time:
        link = anchored.confirmed(language="en").one_click
        for _ in range(3):
            time.shift(7200)
            anchored.subscribe(f"{clock.now():%H%M}@example.org", newsletters="events")
            anchored.work()
        anchored.post(link)
        found = receipt(anchored)
    proofs = [InclusionProof.parse(each["tlog_proof"]) for each in found["record"]["events"]]
    sizes = sorted({int(each.checkpoint.split("\n")[1]) for each in proofs})
    assert len(sizes) > 1
    assert [(each["from"], each["to"]) for each in found["consistency_proofs"]] == [*pairwise(sizes)]
    path = tmp_path / "receipt.json"
    path.write_text(json.dumps(found), encoding="utf-8")
    said = jawel("verify", path, "--key", str(KEY))
    assert said.exit_code == 0, said.output
    assert f"each of its {len(sizes)} checkpoints holds the one before unchanged" in said.stdout


def examined(service: Service, jawel: Jawel, folder: Path, *options: Path | str) -> str:
    """What the verifier says of the receipt's time stamps."""
    path = folder / "receipt.json"
    path.write_text(receipt_text(service), encoding="utf-8")
    said = jawel("verify", path, "--key", str(KEY), *options).stdout
    return next(line for line in said.splitlines() if "ime stamp" in line)
