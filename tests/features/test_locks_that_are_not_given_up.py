"""Somebody keeps a lock for long: who waits for it is sent away by the database itself, so that nothing comes of it
later; and of a worker's chores only that one is put off."""

from datetime import timedelta

import pytest
import time_machine

from app.database import postgresql
from app.resources import resources_of
from app.web.http import retry
from app.worker import housekeeping
from tests.commands import eventually
from tests.concurrency import holding
from tests.engines import on_postgresql
from tests.features.conftest import OpenService
from tests.service import COOL_DOWN, Service, away, everything

pytestmark = on_postgresql


@pytest.fixture
def impatient(open_service: OpenService, monkeypatch: pytest.MonkeyPatch) -> Service:
    """With what a session asks of PostgreSQL on its own, but sooner; and less patient itself than is usual."""
    monkeypatch.setattr(
        postgresql, "SERVER_PATIENCE", postgresql.SERVER_PATIENCE.replace("lock_timeout=8s", "lock_timeout=200ms")
    )
    monkeypatch.setattr(retry, "PATIENCE_SECONDS", 3.0)
    return open_service()


def test_the_database_gives_up_before_the_request_does(service: Service) -> None:
    """Who only hangs up has what they asked for done all the same, once the lock is free."""
    for connecting in (service.database.writer.connect, service.database.reader.connect):
        with connecting() as connection:
            patience = connection.exec_driver_sql(
                "SELECT setting::int / 1000.0 FROM pg_settings WHERE name = 'lock_timeout'"
            ).scalar_one()
        assert 0 < patience < retry.PATIENCE_SECONDS


def test_a_signup_that_was_sent_away_does_not_happen_afterwards(impatient: Service) -> None:
    with time_machine.travel("2026-11-23 20:00:00+00:00", tick=True) as clock:
        impatient.subscribe()
        impatient.work()
        clock.shift(COOL_DOWN)
        before = everything(impatient)
        with holding(impatient, "SELECT digest FROM mail_budgets FOR UPDATE"):
            assert away(impatient.subscribe())
        eventually(lambda: nobody_is_busy(impatient))
        assert everything(impatient) == before
        assert impatient.work() == []
        assert impatient.subscribe().status_code == 202
        assert len(impatient.work()) == 1


def nobody_is_busy(service: Service) -> bool:
    return not service.rows(
        "SELECT 1 FROM pg_stat_activity"
        " WHERE datname = current_database() AND state = 'active' AND pid <> pg_backend_pid()"
    )


def test_a_chore_that_meets_a_lock_keeps_no_other_waiting(impatient: Service) -> None:
    resources = resources_of(impatient.app)
    with time_machine.travel("2026-11-23 20:00:00+00:00", tick=True) as clock:
        impatient.subscribe()
        impatient.work()
        clock.shift(timedelta(hours=97))
        with holding(impatient, "SELECT id FROM subscribers FOR UPDATE"):
            housekeeping.purge_all_due(resources)
            assert (impatient.counts()["subscriptions"], impatient.counts()["mail_budgets"]) == (1, 0)
        housekeeping.purge_all_due(resources)
        assert impatient.counts()["subscriptions"] == 0
