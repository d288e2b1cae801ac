"""The clock is set, by an hour or a day, forward and back: nothing is erased by it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from structlog.testing import capture_logs

from app import clock
from app.privacy import clock_check
from app.privacy.clock_check import ClockCheck
from app.resources import install, resources_of
from tests import clocks
from tests.clocks import HOUR, Clock, by_hour_or_day, either_way
from tests.commands import Jawel, findings
from tests.features.conftest import OpenService
from tests.service import Service

LAPSE = timedelta(hours=96)
"""Three days to confirm, and one more until it is purged."""


@pytest.fixture
def watched(open_service: OpenService, database_url: str) -> Service:
    """It holds the clock against all there is, as in production. The database has the true time."""
    clocks.set_databases_clock(database_url, timedelta())
    service = open_service()
    watch(service)
    return service


def watch(service: Service) -> None:
    """As a process does that has just begun."""
    install(service.app, replace(resources_of(service.app), clock_check=ClockCheck.of_now()))


def pending(service: Service) -> int:
    return int(service.rows("SELECT count(*) FROM subscriptions WHERE status = 'pending'")[0][0])


def about_the_clock(said: Sequence[Mapping[str, Any]]) -> list[str]:
    return [line["event"] for line in said if line["event"].startswith("housekeeping.")]


@by_hour_or_day
@pytest.mark.parametrize("shared", [True, False], ids=["with_the_databases", "alone"])
def test_nothing_is_erased_by_a_clock_that_was_set_ahead_and_letters_leave(
    watched: Service, database_url: str, moved: Clock, jump: timedelta, shared: bool
) -> None:
    def set_clock(by: timedelta) -> None:
        moved.shift(by)
        if shared:
            clocks.move_databases_clock_along(database_url)

    watched.subscribe()
    watched.work()
    moved.shift(LAPSE - HOUR / 2)
    clocks.move_databases_clock_along(database_url)
    watch(watched)
    with capture_logs() as said:
        watched.work()
        set_clock(jump)
        watched.subscribe("grace@example.org")
        assert watched.letter().delivered.recipient == "grace@example.org"
        watched.work()
        assert about_the_clock(said) == ["housekeeping.waits"], "once"
        assert pending(watched) == 2
        set_clock(-jump)
        watched.work()
        assert about_the_clock(said) == ["housekeeping.waits", "housekeeping.goes_on"]
        assert pending(watched) == 2
    watched.subscribe("edith@example.org")
    moved.shift(HOUR)
    clocks.move_databases_clock_along(database_url)
    watch(watched)
    watched.work()
    assert pending(watched) == 2, "whose time has come is erased"


@either_way
def test_a_jump_that_stands_is_believed_after_a_while(
    watched: Service, database_url: str, moved: Clock, jump: timedelta, monkeypatch: pytest.MonkeyPatch
) -> None:
    clocks.move_databases_clock_along(database_url)
    watch(watched)
    resources = resources_of(watched.app)
    assert resources.clock_check.is_reliable(watched.database)
    moved.shift(jump)
    clocks.move_databases_clock_along(database_url)
    assert not resources.clock_check.is_reliable(watched.database)
    assert not resources.clock_check.is_reliable(watched.database)
    monkeypatch.setattr(clock_check, "SETTLED_AHEAD", timedelta())
    monkeypatch.setattr(clock_check, "SETTLED_BEHIND", timedelta())
    assert resources.clock_check.is_reliable(watched.database)
    assert resources.clock_check.is_reliable(watched.database)


@pytest.mark.parametrize("engine", ["postgresql"])
@either_way
def test_nothing_is_erased_by_a_clock_that_is_not_the_databases(
    watched: Service, jawel: Jawel, database_url: str, jump: timedelta
) -> None:
    watched.subscribe()
    watched.work()
    with time_machine.travel(clock.now() + LAPSE + HOUR, tick=True):
        clocks.set_databases_clock(database_url, LAPSE + HOUR - jump)
        watch(watched)
        with capture_logs() as said:
            watched.work()
        refused = jawel("privacy", "purge")
        told = jawel("doctor")
        assert about_the_clock(said) == ["housekeeping.waits"]
        assert refused.exit_code == 1
        assert "Nothing is erased: the clock is " in refused.output
        assert "of the database's. Set both by NTP." in refused.output
        assert findings(told)["clock"] == "fail"
        assert "nothing is erased meanwhile" in told.output
        assert pending(watched) == 1
        clocks.set_databases_clock(database_url, LAPSE + HOUR)
        assert findings(jawel("doctor"))["clock"] == "ok"
        assert jawel("privacy", "purge").exit_code == 0
        assert pending(watched) == 0


@by_hour_or_day
def test_nothing_is_erased_by_a_process_that_begins_before_what_was_written_last(
    watched: Service, jawel: Jawel, database_url: str, moved: Clock, jump: timedelta
) -> None:
    watched.subscribe()
    watched.work()
    moved.shift(LAPSE + HOUR + jump)
    clocks.move_databases_clock_along(database_url)
    watched.subscribe("grace@example.org")
    moved.shift(-jump)
    clocks.move_databases_clock_along(database_url)
    watch(watched)
    assert not resources_of(watched.app).clock_check.is_reliable(watched.database)
    refused, told = jawel("privacy", "purge"), jawel("doctor")
    assert refused.exit_code == 1
    assert "behind what was written last" in refused.output
    assert findings(told)["clock"] == "fail"
    assert pending(watched) == 2
    watched.subscribe("edith@example.org")
    assert findings(jawel("doctor"))["clock"] == "ok"
    assert jawel("privacy", "purge").exit_code == 0
    assert {row.canonical for row in watched.rows("SELECT canonical FROM subscribers")} == {
        "grace@example.org",
        "edith@example.org",
    }
