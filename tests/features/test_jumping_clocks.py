"""The clock is set, by an hour or a day, forward and back: nothing waits for as long, and nothing is erased by it."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from structlog.testing import capture_logs

from app import allowances, clock, clock_watch, outbox, services, worker
from app.breakers import switching
from app.clock_watch import ClockWatch
from app.ledger import anchors
from app.ledger.anchors import Anchor, Schedule
from app.ledger.audit import results
from app.mail import relay, sending
from app.mail.relay import Relay
from app.mail.sending import LEASE
from app.worker import errands
from config import SendLimits
from tests import clocks
from tests.commands import Jawel, eventually
from tests.features.conftest import OpenService
from tests.features.test_commands import findings
from tests.service import ADA, COOL_DOWN, Service

START = "2026-11-23 20:00:00+00:00"
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
LAPSE = timedelta(hours=96)
"""Three days to confirm, and one more until it is purged."""

Clock = time_machine.Traveller
by_hour_or_day = pytest.mark.parametrize("jump", [HOUR, DAY], ids=["an_hour", "a_day"])
either_way = pytest.mark.parametrize(
    "jump", [HOUR, DAY, -HOUR, -DAY], ids=["an_hour_forward", "a_day_forward", "an_hour_back", "a_day_back"]
)


@pytest.fixture
def moved() -> Iterator[Clock]:
    with time_machine.travel(START, tick=True) as clock:
        yield clock


@pytest.fixture
def watched(open_service: OpenService, database_url: str) -> Service:
    """It holds the clock against all there is, as in production. The database has the true time."""
    clocks.set_databases_clock(database_url, timedelta())
    service = open_service()
    watch(service)
    return service


def watch(service: Service) -> None:
    """As a process does that has just begun."""
    services.install(service.app, replace(services.of(service.app), clock_watch=ClockWatch.of_now()))


@either_way
def test_a_rest_from_the_mail_server_is_as_long_as_was_meant(moved: Clock, jump: timedelta) -> None:
    seconds = 0.0
    rested = Relay(steady=lambda: seconds)
    rest = rested.failed()
    moved.shift(jump)
    assert rested.room(20) == 0
    seconds = rest.total_seconds()
    assert rested.room(20) == 1


@by_hour_or_day
def test_a_worker_goes_on_with_the_mail_server_when_the_clock_was_set_back(
    service: Service, moved: Clock, jump: timedelta, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay, "REST", (timedelta(milliseconds=200),))
    stop = threading.Event()
    service.mail.answers_to_rcpt = ["421 4.3.2 closing"]
    service.subscribe()
    with capture_logs() as said, ThreadPoolExecutor(1) as pool:
        running = pool.submit(worker.run, service.app, stop)
        try:
            eventually(lambda: any(line["event"] == "mail_server.away" for line in said))
            moved.shift(-jump)
            eventually(lambda: service.mail.letters)
            service.subscribe("grace@example.org")
            eventually(lambda: len(service.mail.letters) == 2)
        finally:
            stop.set()
        running.result()
    assert {each.recipient for each in service.mail.letters} == {ADA, "grace@example.org"}


@either_way
def test_letters_owed_before_and_after_leave_once_each(service: Service, moved: Clock, jump: timedelta) -> None:
    service.subscribe()
    moved.shift(jump)
    service.subscribe("grace@example.org")
    moved.shift(-jump)
    service.subscribe("edith@example.org")
    assert sorted(letter.delivered.recipient for letter in service.deliver()) == [
        ADA,
        "edith@example.org",
        "grace@example.org",
    ]
    assert service.deliver() == []


@by_hour_or_day
def test_a_letter_in_the_hands_of_a_worker_that_died_while_the_clock_was_ahead_is_sent(
    service: Service, moved: Clock, jump: timedelta
) -> None:
    service.subscribe()
    moved.shift(jump)
    with service.database.transaction() as session:
        assert outbox.claim(session, lease_for=LEASE, at_most=20)
    assert service.deliver() == [], "others respect it"
    moved.shift(-jump)
    assert service.letter().delivered.recipient == ADA


@by_hour_or_day
def test_a_letter_that_was_tried_while_the_clock_was_ahead_is_tried_again(
    service: Service, moved: Clock, jump: timedelta
) -> None:
    service.subscribe()
    moved.shift(jump)
    service.mail.answers_to_rcpt = ["450 4.2.0 greylisted"]
    assert service.deliver() == []
    moved.shift(-jump)
    assert service.letter().delivered.recipient == ADA


@by_hour_or_day
def test_once_the_clock_was_set_back_a_worker_gives_back_what_others_take_for_free(
    service: Service, moved: Clock, jump: timedelta
) -> None:
    service.subscribe()
    service.subscribe("grace@example.org")

    def set_back() -> None:
        service.mail.on_taken = lambda: None
        moved.shift(-jump)
        with ThreadPoolExecutor(1) as pool:
            pool.submit(worker.run_once, service.app).result()

    service.mail.on_taken = set_back
    service.deliver()
    service.deliver()
    first, *others = [each.recipient for each in service.mail.letters]
    assert sorted(others) == [ADA, "grace@example.org"], "at worst the one in hand goes twice"
    assert first in others


@by_hour_or_day
def test_letters_that_were_put_off_while_the_clock_was_ahead_go_at_the_rate_that_is_set(
    open_service: OpenService, moved: Clock, jump: timedelta
) -> None:
    service = open_service(send_limits=SendLimits(0, 60, 0, 0, 0))
    people = [f"ada{number}@example.org" for number in range(4)]
    for email in people:
        service.subscribe(email)
    moved.shift(jump)
    with errands.post_office(service.app, threading.Event()) as office:
        sending.deliver_due(service.database, office)
        assert len(service.mail.letters) < len(people)
        moved.shift(-jump)
        waited = 0
        while len(service.mail.letters) < len(people):
            sending.deliver_due(service.database, office)
            moved.shift(timedelta(seconds=1))
            waited += 1
            assert waited < 60
    assert sorted(each.recipient for each in service.mail.letters) == people


@by_hour_or_day
def test_an_allowance_that_was_used_while_the_clock_was_ahead_is_used_up_and_no_more(
    service: Service, moved: Clock, jump: timedelta
) -> None:
    rate = allowances.an_hour(60, burst=10)
    moved.shift(jump)
    with service.database.transaction() as session:
        tally = allowances.lock(session, ["letters"])
        tally.spend("letters", rate, 10)
        tally.turn({"letters": rate})
    moved.shift(-jump)
    with service.database.transaction() as session:
        tally = allowances.lock(session, ["letters"])
        assert tally.room("letters", rate) == 0
        assert not tally.is_waited_for(["letters"])
    moved.shift(timedelta(minutes=3))
    with service.database.transaction() as session:
        assert allowances.lock(session, ["letters"]).room("letters", rate) == 3


@by_hour_or_day
def test_whoever_asked_while_the_clock_was_ahead_can_ask_for_more(
    service: Service, moved: Clock, jump: timedelta
) -> None:
    moved.shift(jump)
    service.subscribe()
    assert service.letter()
    moved.shift(-jump)
    service.subscribe(newsletters="events")
    moved.shift(2 * COOL_DOWN)
    assert service.letter().delivered.recipient == ADA


@by_hour_or_day
def test_whoever_was_sent_a_link_while_the_clock_was_ahead_can_ask_for_another(
    service: Service, moved: Clock, jump: timedelta
) -> None:
    service.confirmed()
    moved.shift(jump)
    assert service.post("/preferences", data={"email": ADA}).status_code < 400
    first = service.letter()
    moved.shift(-jump)
    assert service.post("/preferences", data={"email": ADA}).status_code < 400
    assert service.letter().subject == first.subject


@by_hour_or_day
def test_a_breaker_that_saw_an_attack_while_the_clock_was_ahead_is_reset(
    service: Service, moved: Clock, jump: timedelta
) -> None:
    moved.shift(2 * jump)
    with service.database.transaction() as session:
        switching.trip(session, "weekly", clock.now())
    moved.shift(-2 * jump)
    service.deliver()
    assert service.rows("SELECT newsletter FROM breakers") == []


@by_hour_or_day
def test_audits_go_on_each_night(service: Service, moved: Clock, jump: timedelta) -> None:
    def audits() -> int:
        with capture_logs() as said:
            worker.run_once(service.app)
        return sum(line["event"] == "audit.finished" for line in said)

    moved.shift(timedelta(days=1, hours=3) + jump)
    assert audits() == 1
    moved.shift(-jump)
    for _night in range(3):
        audits()
        with service.database.read_only() as connection:
            newest = results.latest(connection)
        assert newest
        assert abs(clock.now() - newest.finished_at) < DAY + HOUR
        moved.shift(DAY)
        assert audits() == 1


@by_hour_or_day
def test_checkpoints_are_stamped_again_after_an_hour_as_ever(service: Service, moved: Clock, jump: timedelta) -> None:
    schedule = Schedule(("https://stamps.example.org",), HOUR)
    service.subscribe()
    service.deliver()
    moved.shift(jump + HOUR)
    with service.database.transaction() as session:
        (due,) = anchors.due(session.connection(), schedule, clock.now())
        anchors.keep(session, anchor(due))
    moved.shift(-jump)
    service.subscribe("grace@example.org")
    service.deliver()
    moved.shift(-HOUR)
    with service.database.transaction() as session:
        (due,) = anchors.due(session.connection(), schedule, clock.now())
        anchors.keep(session, anchor(due))
    service.subscribe("edith@example.org")
    service.deliver()
    with service.database.read_only() as connection:
        assert anchors.due(connection, schedule, clock.now()) == [], "not twice within the hour"


def anchor(due: anchors.Due) -> Anchor:
    return Anchor(size=due.size, authority=due.authority, response=b"", obtained_at=clock.now())


@either_way
def test_events_are_sealed_and_audited_clean(service: Service, jawel: Jawel, moved: Clock, jump: timedelta) -> None:
    service.confirmed()
    moved.shift(jump)
    service.confirmed("grace@example.org")
    moved.shift(-jump)
    service.confirmed("edith@example.org")
    service.deliver()
    assert service.rows("SELECT event_id FROM unsealed_events") == []
    assert jawel("ledger", "audit").exit_code == 0


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
    watched.deliver()
    moved.shift(LAPSE - HOUR / 2)
    clocks.move_databases_clock_along(database_url)
    watch(watched)
    with capture_logs() as said:
        watched.deliver()
        set_clock(jump)
        watched.subscribe("grace@example.org")
        assert watched.letter().delivered.recipient == "grace@example.org"
        watched.deliver()
        assert about_the_clock(said) == ["housekeeping.waits"], "once"
        assert pending(watched) == 2
        set_clock(-jump)
        watched.deliver()
        assert about_the_clock(said) == ["housekeeping.waits", "housekeeping.goes_on"]
        assert pending(watched) == 2
    watched.subscribe("edith@example.org")
    moved.shift(HOUR)
    clocks.move_databases_clock_along(database_url)
    watch(watched)
    watched.deliver()
    assert pending(watched) == 2, "whose time has come is erased"


@either_way
def test_a_jump_that_stands_is_believed_after_a_while(
    watched: Service, database_url: str, moved: Clock, jump: timedelta, monkeypatch: pytest.MonkeyPatch
) -> None:
    clocks.move_databases_clock_along(database_url)
    watch(watched)
    at_hand = services.of(watched.app)
    assert at_hand.clock_watch.vouches(watched.database)
    moved.shift(jump)
    clocks.move_databases_clock_along(database_url)
    assert not at_hand.clock_watch.vouches(watched.database)
    assert not at_hand.clock_watch.vouches(watched.database)
    monkeypatch.setattr(clock_watch, "SETTLED_AHEAD", timedelta())
    monkeypatch.setattr(clock_watch, "SETTLED_BEHIND", timedelta())
    assert at_hand.clock_watch.vouches(watched.database)
    assert at_hand.clock_watch.vouches(watched.database)


@pytest.mark.parametrize("engine", ["postgresql"])
@either_way
def test_nothing_is_erased_by_a_clock_that_is_not_the_databases(
    watched: Service, jawel: Jawel, database_url: str, jump: timedelta
) -> None:
    watched.subscribe()
    watched.deliver()
    with time_machine.travel(clock.now() + LAPSE + HOUR, tick=True):
        clocks.set_databases_clock(database_url, LAPSE + HOUR - jump)
        watch(watched)
        with capture_logs() as said:
            watched.deliver()
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
    watched.deliver()
    moved.shift(LAPSE + HOUR + jump)
    clocks.move_databases_clock_along(database_url)
    watched.subscribe("grace@example.org")
    moved.shift(-jump)
    clocks.move_databases_clock_along(database_url)
    watch(watched)
    assert not services.of(watched.app).clock_watch.vouches(watched.database)
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
