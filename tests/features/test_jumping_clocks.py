"""The clock is set, by an hour or a day, forward and back: nothing waits for as long."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from app import clock, outbox, worker
from app.abuse.attack_detection import switching
from app.ledger import anchors
from app.ledger.anchors import Anchor, Schedule
from app.ledger.audit import results
from app.mail import circuit_breaker, throttle
from app.mail.circuit_breaker import CircuitBreaker
from app.mail.lease_keeper import LEASE
from app.worker import mail_loop
from config import SendLimits
from tests.clocks import DAY, HOUR, Clock, by_hour_or_day, either_way
from tests.commands import Jawel, eventually
from tests.features.conftest import OpenService
from tests.service import ADA, COOL_DOWN, Service

START = "2026-11-23 20:00:00+00:00"


@either_way
def test_a_rest_from_the_mail_server_is_as_long_as_was_meant(moved: Clock, jump: timedelta) -> None:
    seconds = 0.0
    rested = CircuitBreaker(steady=lambda: seconds)
    rest = rested.failed()
    moved.shift(jump)
    assert rested.room(20) == 0
    seconds = rest.total_seconds()
    assert rested.room(20) == 1


@by_hour_or_day
def test_a_worker_goes_on_with_the_mail_server_when_the_clock_was_set_back(
    service: Service, moved: Clock, jump: timedelta, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(circuit_breaker, "REST", (timedelta(milliseconds=200),))
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
    assert sorted(letter.delivered.recipient for letter in service.work()) == [
        ADA,
        "edith@example.org",
        "grace@example.org",
    ]
    assert service.work() == []


@by_hour_or_day
def test_a_letter_in_the_hands_of_a_worker_that_died_while_the_clock_was_ahead_is_sent(
    service: Service, moved: Clock, jump: timedelta
) -> None:
    service.subscribe()
    moved.shift(jump)
    with service.database.transaction() as session:
        assert outbox.claim(session, lease_for=LEASE, at_most=20)
    assert service.work() == [], "others respect it"
    moved.shift(-jump)
    assert service.letter().delivered.recipient == ADA


@by_hour_or_day
def test_a_letter_that_was_tried_while_the_clock_was_ahead_is_tried_again(
    service: Service, moved: Clock, jump: timedelta
) -> None:
    service.subscribe()
    moved.shift(jump)
    service.mail.answers_to_rcpt = ["450 4.2.0 greylisted"]
    assert service.work() == []
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
    service.work()
    service.work()
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
    with mail_loop.dispatcher(service.app, threading.Event()) as mail:
        mail.deliver_due()
        assert len(service.mail.letters) < len(people)
        moved.shift(-jump)
        waited = 0
        while len(service.mail.letters) < len(people):
            mail.deliver_due()
            moved.shift(timedelta(seconds=1))
            waited += 1
            assert waited < 60
    assert sorted(each.recipient for each in service.mail.letters) == people


@by_hour_or_day
def test_an_allowance_that_was_used_while_the_clock_was_ahead_is_used_up_and_no_more(
    service: Service, moved: Clock, jump: timedelta
) -> None:
    rate = throttle.an_hour(60, burst=10)
    moved.shift(jump)
    with service.database.transaction() as session:
        tally = throttle.lock(session, ["letters"])
        tally.spend("letters", rate, 10)
        tally.turn({"letters": rate})
    moved.shift(-jump)
    with service.database.transaction() as session:
        tally = throttle.lock(session, ["letters"])
        assert tally.room("letters", rate) == 0
        assert not tally.has_pending_slots(["letters"])
    moved.shift(timedelta(minutes=3))
    with service.database.transaction() as session:
        assert throttle.lock(session, ["letters"]).room("letters", rate) == 3


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
    service.work()
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
    service.work()
    moved.shift(jump + HOUR)
    with service.database.transaction() as session:
        (due,) = anchors.due(session.connection(), schedule, clock.now())
        anchors.keep(session, anchor(due))
    moved.shift(-jump)
    service.subscribe("grace@example.org")
    service.work()
    moved.shift(-HOUR)
    with service.database.transaction() as session:
        (due,) = anchors.due(session.connection(), schedule, clock.now())
        anchors.keep(session, anchor(due))
    service.subscribe("edith@example.org")
    service.work()
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
    service.work()
    assert service.rows("SELECT event_id FROM unsealed_events") == []
    assert jawel("ledger", "audit").exit_code == 0
