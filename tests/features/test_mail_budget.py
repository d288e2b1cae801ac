"""How much mail one address gets, however often and by whomever it is asked for. The answer never shows it."""

from collections.abc import Iterator
from datetime import timedelta
from itertools import count

import pytest
import time_machine
from sqlalchemy import delete, select

from app.consent import Act, Actor
from app.subscriptions import transitions
from app.subscriptions.model import Status, Subscription
from app.suppressions import Suppression
from tests.service import ADA, COOL_DOWN, Service

MORNING = "2026-11-23 08:00:00+00:00"
_clients = count(1)


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(MORNING, tick=True) as clock:
        yield clock


def asked_from_elsewhere(service: Service, newsletters: str = "weekly") -> int:
    """The status of one more request, each from another client, so that only the address is the same."""
    fields = {"email": ADA, "newsletters": newsletters, "consent": True}
    client = {"REMOTE_ADDR": f"198.51.100.{next(_clients) % 250 + 1}"}
    return service.post("/subscribe", json=fields, environ_overrides=client).status_code


def test_two_requests_within_ten_minutes_are_one_letter(service: Service, clock: time_machine.Traveller) -> None:
    assert asked_from_elsewhere(service) == 202
    assert len(service.deliver()) == 1
    clock.shift(timedelta(minutes=9))
    assert asked_from_elsewhere(service) == 202
    clock.shift(COOL_DOWN)
    assert service.work() == []
    assert asked_from_elsewhere(service) == 202
    assert len(service.work()) == 1


def test_another_newsletter_waits_for_the_ten_minutes_to_pass(service: Service, clock: time_machine.Traveller) -> None:
    asked_from_elsewhere(service)
    first = service.letter()
    asked_from_elsewhere(service, "events")
    assert service.work() == []
    clock.shift(COOL_DOWN)
    second = service.letter()
    assert service.post(second.link).get_json()["newsletters"] == ["events"]
    assert service.post(first.link).get_json()["newsletters"] == ["weekly"]


def test_a_day_brings_five_letters_at_most(service: Service, clock: time_machine.Traveller) -> None:
    letters = 0
    for number in range(12):
        assert asked_from_elsewhere(service, ("weekly", "events")[number % 2]) == 202
        clock.shift(COOL_DOWN)
        letters += len(service.work())
    assert letters == 5
    clock.shift(timedelta(days=1))
    assert asked_from_elsewhere(service) == 202
    assert len(service.work()) == 1


def test_an_address_of_other_case_has_no_other_budget(service: Service) -> None:
    service.subscribe("ada@example.org")
    service.subscribe("ADA@EXAMPLE.ORG")
    assert len(service.deliver()) == 1


def test_whoever_is_confirmed_is_told_so_once_a_day(service: Service, clock: time_machine.Traveller) -> None:
    service.confirmed()
    clock.shift(COOL_DOWN)
    asked_from_elsewhere(service)
    told = service.letter()
    assert "/preferences/" in told.text
    assert "/confirm/" not in told.text
    clock.shift(timedelta(hours=23))
    asked_from_elsewhere(service)
    assert service.work() == []
    clock.shift(timedelta(hours=2))
    asked_from_elsewhere(service)
    assert len(service.work()) == 1
    assert service.status()["weekly"]["status"] == "confirmed"


def test_one_letter_asks_for_all_that_is_not_confirmed_yet(service: Service, clock: time_machine.Traveller) -> None:
    service.confirmed(newsletters="events")
    clock.shift(COOL_DOWN)
    service.subscribe(newsletters=["weekly", "events"])
    assert service.post(service.letter().link).get_json()["newsletters"] == ["weekly"]
    assert [service.status()[slug]["status"] for slug in ("weekly", "events")] == ["confirmed", "confirmed"]


def test_whoever_complained_is_never_asked_again(service: Service, clock: time_machine.Traveller) -> None:
    service.confirmed()
    with service.database.transaction() as session:
        subscription = session.scalars(select(Subscription)).one()
        transitions.end(session, subscription, Status.COMPLAINED, Act(Actor.SERVICE, {"method": "complaint"}))
    for newsletter in ("weekly", "events"):
        clock.shift(timedelta(days=40))
        assert asked_from_elsewhere(service, newsletter) == 202
        assert service.work() == []
    assert service.status()["weekly"]["status"] == "complained"
    assert "events" not in (service.status() or {})


def test_the_budget_outlives_the_erased_address(service: Service) -> None:
    service.subscribe()
    service.post(service.letter().link + "/decline")
    with service.database.transaction() as session:
        session.execute(delete(Suppression))
    service.subscribe()
    assert service.work() == []
    assert ADA not in str(service.rows("SELECT * FROM mail_budgets"))
