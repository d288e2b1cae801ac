"""What keeps an address from being written to, lifted by hand: who may ask again then, and what is on record."""

import json
import os
import pty
import subprocess
import sys
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
import time_machine

from app.api_keys import Scope
from app.ledger.verifier import Trust, examine_receipt
from app.newsletters import load
from app.privacy import retention
from tests.commands import Jawel, eventually
from tests.engines import on_sqlite
from tests.receipts import KEY, receipt
from tests.reports import COMPLAINT, HARD, id_of, status_of, take
from tests.service import ADA, COOL_DOWN, Service

WHY = "asked for it by telephone"


def lift(jawel: Jawel, address: str = ADA, *more: str) -> str:
    result = jawel("suppressions", "lift", address, "--why", WHY, "--yes", *more)
    assert (result.exit_code, result.stderr) == (0, ""), result.output
    return str(result.stdout)


def lifted(service: Service) -> list[dict[str, Any]]:
    """The evidence of each time."""
    found = service.rows("SELECT evidence FROM consent_events WHERE type = 'suppression.lifted' ORDER BY newsletter")
    return [json.loads(row.evidence) for row in found]


def complain(service: Service) -> None:
    letter = service.confirmed(newsletters=["weekly", "events"])
    take(service, COMPLAINT, letter_id=id_of(letter))
    assert {each["status"] for each in (service.status() or {}).values()} == {"complained"}


def test_who_complained_may_ask_again_once_it_is_lifted_and_not_before(service: Service, jawel: Jawel) -> None:
    complain(service)
    service.subscribe()
    assert service.work() == []
    said = lift(jawel)
    assert "a complaint (about events, weekly)" in said
    assert ADA not in said
    status = status_of(service)
    assert (status["status"], status["mailable"]) == ("unsubscribed", False)
    assert service.counts()["suppressions"] == 0
    with time_machine.travel(COOL_DOWN, tick=True):
        service.subscribe()
        assert service.post(service.letter().link).status_code == 200
    assert (status_of(service)["status"], status_of(service)["mailable"]) == ("confirmed", True)
    assert status_of(service, "events")["status"] == "unsubscribed"


def test_it_is_an_event_of_each_subscription_that_says_who_and_why(service: Service, jawel: Jawel) -> None:
    complain(service)
    lift(jawel)
    evidence = lifted(service)
    assert [each["newsletter"] for each in evidence] == ["events", "weekly"]
    for each in evidence:
        assert (each["actor"], each["why"], each["reasons"]) == ("controller", WHY, ["complaint"])
        assert ADA not in json.dumps(each)
    service.work()
    fed = service.get("/api/v1/events", headers=service.key(Scope.EVENTS_READ)).get_json()["events"]
    assert [each["newsletter"] for each in fed if each["type"] == "suppression.lifted"] == ["events", "weekly"]


def test_the_receipt_shows_it_and_the_verifier_takes_it(service: Service, jawel: Jawel) -> None:
    complain(service)
    lift(jawel)
    found = receipt(service)
    last = found["record"]["events"][-1]
    assert (last["type"], last["event_state"]) == ("suppression.lifted", "jawel:SuppressionLifted")
    assert found["record"]["consent_state"] == "dpv:ConsentRevoked"
    assert [str(each) for each in examine_receipt(json.dumps(found), Trust([KEY])) if each.holds is False] == []
    assert jawel("ledger", "audit").exit_code == 0


def test_a_decline_is_lifted_though_all_else_is_gone(service: Service, jawel: Jawel) -> None:
    service.subscribe()
    service.post(f"{service.letter().link}/decline")
    assert service.status() is None
    assert "this was not me" in lift(jawel)
    (evidence,) = lifted(service)
    assert (evidence["newsletter"], evidence["reasons"]) == ("weekly", ["declined"])
    with time_machine.travel(COOL_DOWN, tick=True):
        service.subscribe()
        assert len(service.deliver()) == 1


def test_a_hard_bounce_is_lifted_at_once(service: Service, jawel: Jawel) -> None:
    take(service, HARD, letter_id=id_of(service.confirmed()))
    lift(jawel)
    with time_machine.travel(COOL_DOWN, tick=True):
        service.subscribe()
        assert service.post(service.letter().link).status_code == 200
    assert status_of(service)["mailable"] is True


def test_of_who_was_erased_the_complaint_is_lifted_too_and_names_nobody(service: Service, jawel: Jawel) -> None:
    complain(service)
    known = service.rows("SELECT id FROM subscribers")[0].id
    service.app.test_client().delete(f"/api/v1/subscribers/{ADA}", headers=service.key(Scope.SUBSCRIBERS_WRITE))
    lift(jawel)
    (evidence,) = lifted(service)
    assert (evidence["newsletter"], evidence["subscription"]) == (None, None)
    assert evidence["subscriber"] != str(known)
    service.subscribe()
    assert len(service.deliver()) == 1


@pytest.mark.parametrize("address", [ADA, "grace@example.org"])
def test_lifting_what_is_not_suppressed_says_so_and_writes_nothing(
    service: Service, jawel: Jawel, address: str
) -> None:
    service.confirmed()
    before = service.counts(), service.rows("SELECT version FROM subscriptions")
    assert lift(jawel, address) == "Nothing keeps that address from being written to. Nothing was written.\n"
    assert (service.counts(), service.rows("SELECT version FROM subscriptions")) == before


def test_twice_is_once(service: Service, jawel: Jawel) -> None:
    complain(service)
    lift(jawel)
    before = service.counts()
    assert "Nothing was written" in lift(jawel)
    assert service.counts() == before


def test_the_evidence_goes_when_the_withdrawn_subscription_does(service: Service, jawel: Jawel) -> None:
    """`keep_evidence` runs from the complaint, not from the day on which it was lifted."""
    with time_machine.travel("2026-11-23 20:00:00+00:00", tick=True) as clock:
        complain(service)
        clock.shift(timedelta(days=1000))
        lift(jawel)
        clock.shift(timedelta(days=100))
        with service.database.read_only() as connection:
            due = list(retention.chores(load.catalogue(connection)))
        for chore in due:
            retention.carry_out(service.database, chore)
    assert service.status() is None
    found = service.rows("SELECT evidence FROM consent_events WHERE type = 'suppression.lifted'")
    assert [row.evidence for row in found] == [None, None]


def test_the_address_may_come_by_standard_input_and_stay_out_of_the_history(service: Service, jawel: Jawel) -> None:
    complain(service)
    result = jawel.fed(f"{ADA}\n".encode(), "suppressions", "lift", "-", "--why", WHY, "--yes")
    assert result.exit_code == 0, result.output
    assert status_of(service)["status"] == "unsubscribed"


def test_a_script_is_not_asked(service: Service, jawel: Jawel) -> None:
    complain(service)
    result = jawel("suppressions", "lift", ADA, "--why", WHY)
    assert result.exit_code == 0
    assert status_of(service)["status"] == "unsubscribed"


@on_sqlite
@pytest.mark.parametrize(("answer", "then"), [(b"n\n", "complained"), (b"y\n", "unsubscribed")])
def test_on_a_terminal_one_is_asked(service: Service, jawel: Jawel, answer: bytes, then: str) -> None:
    complain(service)
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "app", "suppressions", "lift", ADA, "--why", WHY]
    process = subprocess.Popen(
        command, cwd=jawel.folder, env={**os.environ, **jawel.environment}, stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    said = b""
    while not said.endswith(b"]: "):
        said += os.read(ours, 1000)
    os.write(ours, answer)
    with suppress(OSError):  # once nobody has the other end
        while packet := os.read(ours, 1000):
            said += packet
    process.wait()
    os.close(ours)
    assert process.returncode == (0 if answer == b"y\n" else 1), said
    eventually(lambda: status_of(service)["status"] == then)


@on_sqlite
@pytest.mark.parametrize(("address", "why"), [("sesame", WHY), (ADA, "  "), (ADA, "w" * 501), (ADA, "two\nlines")])
def test_what_cannot_be_used_is_refused_and_not_repeated(jawel: Jawel, address: str, why: str) -> None:
    result = jawel("suppressions", "lift", address, "--why", why, "--yes")
    assert result.exit_code == 2
    assert "sesame" not in result.output
