"""The address goes with the last subscription of a person, and stays with one that somebody has just asked for."""

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from typing import Any

import time_machine
from sqlalchemy import text

from app import clock as clocks
from app.resources import resources_of
from app.subscriptions import transitions
from tests.concurrency import await_lock
from tests.engines import on_postgresql
from tests.service import ADA, BOTH, COOL_DOWN, Service

pytestmark = on_postgresql
HOLD_UP = """
    CREATE FUNCTION hold_up() RETURNS trigger LANGUAGE plpgsql
        AS 'BEGIN PERFORM pg_advisory_xact_lock(7); RETURN NULL; END';
    CREATE CONSTRAINT TRIGGER hold_up AFTER INSERT ON subscriptions DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION hold_up()"""
"""Whoever asks waits with all written, right before the end of the transaction."""


def expire(service: Service, newsletter: str) -> int:
    """As the housekeeping of one worker does it."""
    found = resources_of(service.app).catalogue.get().newsletters[newsletter]
    with service.database.transaction() as session:
        return transitions.expire(session, found, clocks.now() + timedelta(days=30), at_most=10)


def await_lock_or_end(service: Service, acting: "Future[Any]", waiting: int) -> None:
    """Until as many wait for a lock, or the act is over."""
    deadline = time.monotonic() + 30
    while not acting.done() and service.rows("SELECT count(*) FROM pg_locks WHERE NOT granted")[0][0] < waiting:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_two_workers_that_end_the_last_two_subscriptions_of_a_person_leave_no_address(service: Service) -> None:
    with time_machine.travel("2026-11-23 20:00:00+00:00", tick=True) as clock, ThreadPoolExecutor(1) as pool:
        for newsletter in BOTH:
            service.subscribe(newsletters=newsletter)
            service.work()
            clock.shift(COOL_DOWN)
        weekly = resources_of(service.app).catalogue.get().newsletters["weekly"]
        with service.database.transaction() as session:
            assert transitions.expire(session, weekly, clocks.now() + timedelta(days=30), at_most=10) == 1
            other = pool.submit(expire, service, "events")
            await_lock_or_end(service, other, waiting=1)
        assert other.result() == 1
    assert [service.counts()[each] for each in ("subscriptions", "subscribers", "letters")] == [0, 0, 0]


def test_what_somebody_asks_for_while_their_last_request_lapses_is_not_erased_with_it(service: Service) -> None:
    with time_machine.travel("2026-11-23 20:00:00+00:00", tick=True) as clock, ThreadPoolExecutor(2) as pool:
        service.subscribe()
        service.work()
        clock.shift(COOL_DOWN)
        with service.database.transaction() as session:
            session.execute(text(HOLD_UP))
        act: Callable[[], Any] = partial(service.subscribe, newsletters="events")
        with service.database.transaction() as session:
            session.execute(text("SELECT pg_advisory_xact_lock(7)"))
            asking = pool.submit(act)
            await_lock(service)
            lapsing = pool.submit(expire, service, "weekly")
            await_lock_or_end(service, lapsing, waiting=2)
        assert asking.result().status_code == 202
        assert lapsing.result() == 1
        assert {name: each["status"] for name, each in (service.status(ADA) or {}).items()} == {"events": "pending"}
        assert service.post(service.letter().link).status_code == 200
