"""Housekeeping beside everything else: in small steps, for a bounded time, and never in anybody's way."""

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from importlib import import_module
from typing import Any

import pytest
from sqlalchemy import text

from app import clock, worker
from app.database import postgresql
from app.privacy import retention
from app.privacy.retention import Pace
from app.resources import resources_of
from app.worker import housekeeping
from app.worker.housekeeping import Housekeeper
from tests import clocks
from tests.clocks import Clock
from tests.commands import Jawel, eventually
from tests.concurrency import holding
from tests.engines import on_postgresql
from tests.features.conftest import OpenService
from tests.service import ADA, BOTH, COOL_DOWN, Service
from trials import filling

LAPSE = timedelta(hours=97)
AN_AGE = 1e6
"""In the time that a step takes."""
MANY = 5


@pytest.fixture
def step_by_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "PACES", dict.fromkeys(retention.PACES, Pace(rows=1, rest=0)))


@pytest.fixture
def drowsy(monkeypatch: pytest.MonkeyPatch) -> None:
    """After each step it rests for as good as ever, in the midst of a purge."""
    monkeypatch.setattr(retention, "PACES", dict.fromkeys(retention.PACES, Pace(rows=1, rest=AN_AGE)))


def many_lapse(service: Service, moved: Clock) -> None:
    for number in range(MANY):
        service.subscribe(f"joan{number}@example.org")
    service.work()
    moved.shift(LAPSE)


def lapsed(service: Service) -> int:
    return service.counts()["stubs"]


@contextmanager
def working(service: Service) -> Iterator[threading.Event]:
    """A worker, until the block ends or stops it."""
    stop = threading.Event()
    running = threading.Thread(target=worker.run, args=(service.app, stop))
    running.start()
    try:
        yield stop
    finally:
        stop.set()
        running.join()


def has_mail(service: Service, email: str) -> Callable[[], bool]:
    return lambda: email in {letter.recipient for letter in service.mail.letters}


@pytest.mark.usefixtures("drowsy")
def test_letters_leave_in_the_midst_of_a_purge(service: Service, moved: Clock) -> None:
    many_lapse(service, moved)
    with working(service):
        eventually(lambda: lapsed(service) > 0)
        service.subscribe(ADA)
        eventually(has_mail(service, ADA))
        assert lapsed(service) == 1


@on_postgresql
def test_letters_leave_while_a_chore_waits_for_a_lock(
    open_service: OpenService, moved: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    for_ever = postgresql.SERVER_PATIENCE.replace("lock_timeout=8s", "lock_timeout=0")
    monkeypatch.setattr(postgresql, "SERVER_PATIENCE", for_ever)
    service = open_service()
    many_lapse(service, moved)
    with holding(service, "SELECT id FROM subscribers FOR UPDATE"), working(service) as stop:
        try:
            eventually(lambda: bool(service.rows("SELECT 1 FROM pg_locks WHERE NOT granted")))
            service.subscribe(ADA)
            eventually(has_mail(service, ADA))
            assert lapsed(service) == 0
        finally:
            stop.set()
            service.rows(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND wait_event_type = 'Lock'"
            )


@pytest.mark.usefixtures("drowsy")
def test_a_worker_that_is_told_to_stop_takes_no_further_step_of_a_purge(service: Service, moved: Clock) -> None:
    many_lapse(service, moved)
    with working(service):
        eventually(lambda: lapsed(service) > 0)
    assert lapsed(service) == 1
    assert service.counts()["subscribers"] == MANY - 1


@pytest.mark.usefixtures("step_by_step")
def test_a_round_ends_when_its_time_is_over_and_the_next_goes_on(
    service: Service, moved: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(housekeeping, "ROUND_SECONDS", 0)
    many_lapse(service, moved)
    keeper, never = Housekeeper(resources_of(service.app)), threading.Event()
    order: list[str] = []
    is_done = False
    while not is_done:
        before = service.counts()
        is_done = keeper.round(never)
        after = service.counts()
        gone = [table for table in ("subscribers", "mail_budgets") if after[table] < before[table]]
        assert sum(before[table] - after[table] for table in gone) <= 1, "a round's time is over after a step"
        order += gone
    assert Counter(order) == {"subscribers": MANY, "mail_budgets": MANY}
    assert order[:2] == ["subscribers", "mail_budgets"], "they take turns"
    assert keeper.round(never), "nothing is looked for again within a minute"


@pytest.mark.usefixtures("step_by_step")
def test_where_nothing_is_sealed_what_is_due_is_erased_all_the_same(
    service: Service, moved: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(housekeeping, "UNSEALED_AT_MOST", 0)
    monkeypatch.setattr(housekeeping, "HOLDING_BACK_SECONDS", (0,))
    many_lapse(service, moved)
    service.subscribe(ADA)
    assert service.counts()["unsealed_events"]
    assert Housekeeper(resources_of(service.app)).round(threading.Event())
    assert lapsed(service) == MANY


@pytest.mark.usefixtures("step_by_step")
def test_a_purge_by_hand_goes_on_until_nothing_is_left_and_says_how_far_it_has_come(
    service: Service, moved: Clock, jawel: Jawel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_module("app.cli.privacy"), "TOLD_EVERY_SECONDS", 0)
    many_lapse(service, moved)
    clocks.move_databases_clock_along(jawel.environment["DATABASE_URL"])
    result = jawel("privacy", "purge")
    assert f"So far: {MANY - 1} requests lapsed, for nobody confirmed them." in result.stderr
    assert f"{MANY} requests lapsed, for nobody confirmed them" in result.stdout
    assert lapsed(service) == MANY


def test_requests_of_every_kind_lapse_in_one_step_as_each_would_alone(service: Service, moved: Clock) -> None:
    once_there, bounced, on_both, elsewhere = (f"{who}@example.org" for who in ("grace", "mary", "joan", "hedy"))
    service.confirmed(once_there)
    status = service.status(once_there) or {}
    service.post(status["weekly"]["links"]["unsubscribe"].removeprefix("https://subscribe.example.org"))
    service.work()
    service.confirmed(elsewhere, newsletters="events")
    service.subscribe(bounced)
    service.work()
    moved.shift(COOL_DOWN)
    for email in (once_there, bounced, elsewhere):
        service.subscribe(email)
    service.subscribe(on_both, newsletters=BOTH)
    with service.database.transaction() as session:
        # As the report of a bounce leaves one that was never confirmed, and a new request then finds it.
        session.execute(
            text(
                "UPDATE subscriptions SET ended_as = 'bounced', ended_at = since, lapses_at = expires_at"
                " WHERE subscriber_id = (SELECT id FROM subscribers WHERE canonical = 'mary@example.org')"
            )
        )
    service.work()
    before = {row.id: row for row in service.rows("SELECT * FROM subscriptions")}
    moved.shift(LAPSE)
    service.work()
    assert_back_to_how_it_ended(service, once_there, before)
    assert {name: each["status"] for name, each in (service.status(elsewhere) or {}).items()} == {"events": "confirmed"}
    assert service.status(bounced) is service.status(on_both) is None
    assert service.counts()["subscribers"] == 2
    assert stubs(service) == sorted(
        (row.id, row.subscriber_id, row.newsletter) for row in before.values() if is_gone(service, row.id)
    )
    assert len(stubs(service)) == 4
    assert_each_has_its_event(service, before)


def assert_back_to_how_it_ended(service: Service, email: str, before: dict[Any, Any]) -> None:
    (row,) = service.rows(
        "SELECT subscriptions.* FROM subscriptions JOIN subscribers ON subscribers.id = subscriber_id"
        f" WHERE canonical = '{email}'"
    )
    was = before[row.id]
    assert was.status == "pending"
    assert (row.status, row.since, row.expires_at) == (was.ended_as, was.ended_at, None)
    assert row.version == was.version + 1
    assert row.nonce != was.nonce, "no link sent before brings it back"


def assert_each_has_its_event(service: Service, before: dict[Any, Any]) -> None:
    pending = {row.id: row for row in before.values() if row.status == "pending"}
    expired = service.rows("SELECT * FROM consent_events WHERE type = 'subscription.expired'")
    assert Counter(event.subscription_id for event in expired) == Counter(pending.keys())
    for event in expired:
        was, evidence = pending[event.subscription_id], json.loads(event.evidence)
        assert (event.subscriber_id, event.newsletter) == (was.subscriber_id, was.newsletter)
        assert (evidence["actor"], evidence["method"]) == ("service", "not confirmed in time")
        assert event.mac
    assert service.counts()["unsealed_events"] == service.counts()["refused_events"] == 0


def stubs(service: Service) -> list[tuple[Any, Any, Any]]:
    found = service.rows("SELECT * FROM stubs")
    assert all(row.digest for row in found)
    return sorted((row.subscription_id, row.subscriber_id, row.newsletter) for row in found)


def is_gone(service: Service, subscription_id: Any) -> bool:
    return subscription_id not in {row.id for row in service.rows("SELECT id FROM subscriptions")}


@pytest.mark.usefixtures("step_by_step")
def test_what_the_trial_of_a_purge_fills_in_lapses(service: Service) -> None:
    filling.fill(service.database, MANY, clock.now() - timedelta(hours=1))
    assert (filling.purged(service.database), filling.left(service.database)) == (0, MANY)
    service.work()
    assert (filling.purged(service.database), filling.left(service.database)) == (MANY, 0)
