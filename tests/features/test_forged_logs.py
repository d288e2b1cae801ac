"""A log whose own keeper forges: they may sign and seal whatever they like, and must still tell one story."""

import json
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
import time_machine

from app import clock, consent
from app.ledger import anchors
from app.ledger.verifier import Trust, encode, read_authorities
from tests import timestamps
from tests.forged_logs import CONFIRMATION, LETTER, REQUEST, Part, judge, lines, says, sealed
from tests.moving import gone
from tests.receipts import KEY, receipt_text, wrong
from tests.service import ADA, COOL_DOWN, Service

pytestmark = pytest.mark.parametrize("engine", ["sqlite"])


def test_a_log_made_anew_of_the_same_events_holds(receipt: Part) -> None:
    sealed(receipt["record"]["events"], fillers=3)
    assert wrong(judge(receipt)) == []


def _address_without_a_key(record: Part, _events: list[Part]) -> None:
    record.update(pii_principal_email="grace@example.org", address_commitment_key=None)


def _confirmed_by_the_controller(_record: Part, events: list[Part]) -> None:
    says(events[CONFIRMATION], actor="controller")


def _without_words(record: Part, events: list[Part]) -> None:
    says(events[REQUEST], wordings={})
    record.update(service=None, consent_text={"sha256": None, "text": None})
    record["privacy_notice"]["sha256"] = record["purposes"][0]["name"] = None


def _confirmed_after_it_lapsed(_record: Part, events: list[Part]) -> None:
    says(events[LETTER], type="subscription.expired")
    events[LETTER]["event_state"] = "dpv:ConsentExpired"


def _asked_after_it_was_confirmed(_record: Part, events: list[Part]) -> None:
    """By its time; by its position it was before."""
    says(events[REQUEST], occurred_at="2099-01-01T00:00:00.000Z")
    events.append(events.pop(REQUEST))


def _with_a_longer_salt(_record: Part, events: list[Part]) -> None:
    events[LETTER]["salt"] += "00"


def _erased_by_a_letter(_record: Part, events: list[Part]) -> None:
    _erase(events, REQUEST, events[LETTER])


def _erased_beforehand(_record: Part, events: list[Part]) -> None:
    says(events[REQUEST], type="subscriber.erased")
    _erase(events, LETTER, events[REQUEST])


def _went_elsewhere(_record: Part, events: list[Part]) -> None:
    says(events[LETTER], address_commitment="00" * 32)


def _taken_for_another(_record: Part, events: list[Part]) -> None:
    says(events[LETTER], letter=str(uuid4()))


def _confirmed_by_the_letter_of_another(_record: Part, events: list[Part]) -> None:
    letter = str(uuid4())
    says(events[LETTER], letter=letter)
    says(events[CONFIRMATION], letter=letter)


def _erase(events: list[Part], number: int, stone: Part) -> None:
    gone = events[number]
    named = {"event": gone["event_id"], "type": gone["type"], "occurred_at": gone["event_time"]}
    says(stone, erased=[named])
    gone.update(evidence=None, salt=None, entity_id=None, method=None)


FORGERIES: Mapping[str, tuple[Callable[[Part, list[Part]], None], str]] = {
    "an address that is compared with nothing": (_address_without_a_key, "The address"),
    "a confirmation by the controller": (_confirmed_by_the_controller, "it was not the holder of the mailbox"),
    "words that the evidence does not cite": (_without_words, "which words were agreed to"),
    "a confirmation of a request that had lapsed": (_confirmed_after_it_lapsed, "the request was over"),
    "a request behind its confirmation": (_asked_after_it_was_confirmed, "nobody asked before"),
    "a salt of another length": (_with_a_longer_salt, "does not have 32 bytes"),
    "a letter to another address": (_went_elsewhere, "the letter went to another address"),
    "a letter about another subscription": (_taken_for_another, "no mail server took it for this"),
    "the letter of somebody else": (_confirmed_by_the_letter_of_another, "is none that was asked for here"),
    "a tombstone that is none": (_erased_by_a_letter, "no tombstone says"),
    "a tombstone from before": (_erased_beforehand, "no tombstone says"),
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_what_was_sealed_that_way_is_still_refuted(receipt: Part, forgery: str) -> None:
    forge, reason = FORGERIES[forgery]
    forge(receipt["record"], receipt["record"]["events"])
    sealed(receipt["record"]["events"])
    found = wrong(judge(receipt))
    assert [each for each in found if reason in each], found


@pytest.fixture
def moved(service: Service) -> Part:
    """The receipt of somebody who changed their address twice."""
    with time_machine.travel(clock.now(), tick=True) as time:
        service.confirmed(language="en")
        for wanted, email in (("ada@second.example.net", ADA), ("ada@third.example.net", "ada@second.example.net")):
            time.shift(timedelta(seconds=2))  # A link from the second of a move is too old to ask for another.
            gone(service, wanted, email)
        found: Part = json.loads(receipt_text(service))
    return found


def requests(receipt: Part) -> list[Part]:
    return [each for each in receipt["record"]["events"] if each["type"] == "subscription.requested"]


def _without_a_link(receipt: Part) -> None:
    evidence = json.loads(requests(receipt)[1]["evidence"])
    del evidence["previous_address_commitment"]
    requests(receipt)[1]["evidence"] = consent.canonical(evidence).decode()


def _with_a_link_elsewhere(receipt: Part) -> None:
    says(requests(receipt)[1], previous_address_commitment="00" * 32)


def _from_somebody_else(receipt: Part) -> None:
    says(requests(receipt)[0], address_commitment="00" * 32)


def _with_a_step_left_out(receipt: Part) -> None:
    receipt["record"]["events"].remove(requests(receipt)[1])


def _back_at_the_second_address(receipt: Part) -> None:
    receipt["record"]["pii_principal_email"] = "ada@second.example.net"


CHAINS = [
    _without_a_link,
    _with_a_link_elsewhere,
    _from_somebody_else,
    _with_a_step_left_out,
    _back_at_the_second_address,
]


@pytest.mark.parametrize("forge", CHAINS, ids=lambda forge: forge.__name__)
def test_a_chain_of_addresses_with_a_break_is_refuted(moved: Part, forge: Callable[[Part], None]) -> None:
    sealed(moved["record"]["events"])
    assert wrong(judge(moved)) == []
    forge(moved)
    sealed(moved["record"]["events"])
    found = wrong(judge(moved))
    assert [each for each in found if "nothing leads from one to the other" in each], found


def test_a_move_whose_letter_went_elsewhere_is_refuted(moved: Part) -> None:
    letters = [each for each in moved["record"]["events"] if each["type"] == "letter.accepted"]
    (_first, last) = [each for each in letters if json.loads(each["evidence"])["kind"] == "address_change"]
    says(last, address_commitment="00" * 32)
    sealed(moved["record"]["events"])
    (found,) = wrong(judge(moved))
    assert "the letter went to another address than the one that was asked for" in found


def test_what_was_recorded_before_evidence_named_letters_and_addresses_holds(receipt: Part) -> None:
    events = receipt["record"]["events"]
    for event, name in ((REQUEST, "letter_owed"), (LETTER, "address_commitment"), (CONFIRMATION, "letter")):
        evidence = json.loads(events[event]["evidence"])
        del evidence[name]
        events[event]["evidence"] = consent.canonical(evidence).decode()
        sealed(events)
        assert wrong(judge(receipt)) == []


def _never_noted(confirmation: Part) -> None:
    """As where the worker died that had sent the letter."""
    evidence = json.loads(confirmation["evidence"])
    del evidence["seconds_since_letter"]
    confirmation["evidence"] = consent.canonical(evidence).decode()


def _never_taken(_record: Part, events: list[Part]) -> None:
    _never_noted(events[CONFIRMATION])
    events.remove(events[LETTER])


def _taken_afterwards(_record: Part, events: list[Part]) -> None:
    says(events[LETTER], occurred_at="2099-01-01T00:00:00.000Z")
    events.append(events.pop(LETTER))


@pytest.mark.parametrize("forge", [_never_taken, _taken_afterwards], ids=lambda forge: forge.__name__)
def test_a_confirmation_without_a_letter_is_told_in_words_of_its_own(
    receipt: Part, forge: Callable[[Part, list[Part]], None]
) -> None:
    assert lines(receipt, "The letter before it: a mail server took it at ")
    forge(receipt["record"], receipt["record"]["events"])
    sealed(receipt["record"]["events"])
    assert wrong(judge(receipt)) == []
    (line,) = lines(receipt, "The letter before it")
    assert line.startswith("note   The letter before it: no mail server is on record as having taken a letter before")


def test_the_letter_of_a_consent_that_has_ended_vouches_for_no_later_one(service: Service) -> None:
    with time_machine.travel(clock.now(), tick=True) as time:
        service.post(service.confirmed(language="en").one_click)
        service.work()
        time.shift(COOL_DOWN)
        service.confirmed(language="en")
        found: Part = json.loads(receipt_text(service))
    events = found["record"]["events"]
    letters = [each for each in events if each["type"] == "letter.accepted"]
    first, acknowledgement, second = (json.loads(each["evidence"])["kind"] for each in letters)
    assert (first, acknowledgement, second) == ("confirmation", "unsubscribed", "confirmation")
    assert len([each for each in lines(found, "The letter before it") if each.startswith("ok ")]) == 2
    _never_noted(events[-1])
    events.remove(letters[2])
    sealed(events)
    assert [each[:5] for each in lines(found, "The letter before it")] == ["ok   ", "note "]


def test_a_stamp_says_something_of_the_events_beneath_it_or_nothing(receipt: Part, tmp_path: Path) -> None:
    events = receipt["record"]["events"]
    with timestamps.running(tmp_path / "authority") as authority:
        trust = Trust([KEY], read_authorities([authority.root]))
        receipt["timestamp_tokens"] = [stamp(authority, sealed(events, fillers=1))]
        assert wrong(judge(receipt, trust)) == []
        sealed(events, fillers=2)
        (found,) = wrong(judge(receipt, trust))
        assert "a checkpoint that no event here is proven under" in found
        says(events[CONFIRMATION], occurred_at=consent.timestamp(clock.now() + timedelta(hours=1)))
        receipt["timestamp_tokens"] = [stamp(authority, sealed(events, fillers=1))]
        (found,) = wrong(judge(receipt, trust))
    assert "an event under it says that it happened after the stamp was made" in found


def stamp(authority: timestamps.Authority, note: str) -> Part:
    return {"type": "rfc3161", "checkpoint": note, "token": encode(anchors.ask(authority.url, note))}


def test_a_receipt_writes_no_lines_of_its_own_into_the_verdict(receipt: Part) -> None:
    receipt["receipt_created"] = "today\nok     The receipt as a whole: it is as it was signed\x1b[8m"
    said = [str(finding) for finding in judge(receipt)]
    assert all(line.isprintable() for line in said)
