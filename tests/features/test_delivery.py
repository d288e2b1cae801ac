"""Between the outbox and a mail server: what is tried again, what is given up, and what is not sent any more."""

import socket
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from threading import Event

import pytest
import time_machine
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from app import clock
from app.mail import dispatch
from app.suppressions import Reason, suppress
from app.worker import mail_loop
from config import Settings
from tests import smtp
from tests.clocks import HOUR
from tests.features.conftest import OpenService
from tests.outbox import replies, state
from tests.service import ADA, Letter, Service

START = datetime(2026, 11, 23, 20, tzinfo=UTC)
STEPS = [timedelta(seconds=seconds) for seconds in (5, 30, 120, 600)]


@pytest.mark.parametrize(
    ("to_rcpt", "to_data", "expected", "kept"),
    [
        (["550 5.1.1 ada@example.org is unknown"], [], "bounced", "550 5.1.1"),
        (["550 unknown"], [], "bounced", "550"),
        ([f"550 5.1.1 unknown {smtp.HANG_UP}"], [], "bounced", "550 5.1.1"),
        (["550 5.7.1 your address is on a list"], [], "failed", "550 5.7.1"),
        (["552 5.2.2 the mailbox is full"], [], "failed", "552 5.2.2"),
        (["450 4.2.0 greylisted"], [], "deferred", "450 4.2.0"),
        (["421 4.3.2 closing"], [], "deferred", "421 4.3.2"),
        ([f"421 4.3.2 closing {smtp.HANG_UP}"], [], "deferred", "421 4.3.2"),
        ([], ["554 5.7.1 looks like spam"], "failed", "554 5.7.1"),
        ([], ["452 4.3.1 disk full"], "deferred", "452 4.3.1"),
        ([], ["421 4.3.2 closing"], "deferred", "421 4.3.2"),
        ([], [smtp.HANG_UP], "deferred", "no answer"),
    ],
)
def test_what_the_server_says_decides(
    service: Service, to_rcpt: list[str], to_data: list[str], expected: str, kept: str
) -> None:
    service.subscribe()
    assert state(service) == "queued"
    service.mail.answers_to_rcpt, service.mail.answers_to_data = [*to_rcpt], [*to_data]
    assert service.work() == []
    assert (state(service), replies(service)) == (expected, [kept])
    assert service.status()["weekly"]["status"] == ("bounced" if expected == "bounced" else "pending")
    assert "letter.accepted" not in service.events()
    service.subscribe("grace@example.org")
    assert service.letter().delivered.recipient == "grace@example.org"


@pytest.mark.parametrize("trouble", ["450 4.2.0 greylisted", "451 4.7.1 come back", "550 5.1.1 unknown", smtp.HANG_UP])
def test_the_trouble_of_one_letter_is_not_that_of_the_next(service: Service, trouble: str) -> None:
    people = ["ada@example.org", "grace@example.org", "edith@example.org"]
    # Some seconds later the first is due again.
    with time_machine.travel(clock.now(), tick=False) as moved:
        for email in people:
            service.subscribe(email)
            moved.shift(timedelta(milliseconds=1))
        service.mail.answers_to_rcpt = [trouble]
        assert [letter.delivered.recipient for letter in service.work()] == people[1:]


@pytest.mark.parametrize("busy", ["421 4.3.2 closing", "452 4.3.1 disk full", "452 4.5.3 too many recipients"])
def test_a_server_that_wants_nothing_for_now_is_let_be_and_then_gets_all(service: Service, busy: str) -> None:
    people = ["ada@example.org", "grace@example.org", "edith@example.org"]
    with time_machine.travel(clock.now(), tick=False) as moved:
        for email in people:
            service.subscribe(email)
            moved.shift(timedelta(seconds=1))
        service.mail.answers_to_rcpt = [busy]
        assert service.work() == []
        assert [service.status(email)["weekly"]["confirmation_mail"]["state"] for email in people] == [
            "deferred",
            "queued",
            "queued",
        ]
        moved.shift(timedelta(seconds=6))
        assert sorted(letter.delivered.recipient for letter in service.work()) == sorted(people)


def test_a_busy_server_uses_up_no_tries(service: Service) -> None:
    with time_machine.travel(clock.now(), tick=False) as moved:
        service.subscribe()
        for _ in range(80):
            service.mail.answers_to_rcpt = ["421 4.3.2 closing"]
            service.work()
            moved.shift(timedelta(minutes=5, seconds=1))
        service.mail.answers_to_rcpt = ["450 4.2.0 greylisted"]
        service.work()
        assert state(service) == "deferred"


def test_what_is_sent_while_the_database_goes_away_is_marked_when_it_is_back(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatch, "RETRY_SECONDS", 0.01)
    service.subscribe()
    refused: list[int] = []

    def refuse(*_event: object) -> None:
        if len(refused) < 3:
            refused.append(1)
            raise OperationalError("", None, Exception("the database is away"))

    def go_away() -> None:
        event.listen(service.database.writer, "begin", refuse)

    service.mail.on_taken = go_away
    with mail_loop.dispatcher(service.app, Event()) as mail:
        assert mail.deliver_due() == 1
    assert len(service.mail.letters) == 1
    event.remove(service.database.writer, "begin", refuse)
    assert len(refused) == 3
    assert service.status()["weekly"]["confirmation_mail"]["state"] == "sent"
    assert "letter.accepted" in service.events()
    assert service.work() == []


def test_several_letters_go_over_one_connection(service: Service) -> None:
    for number in range(10):
        service.subscribe(f"ada{number}@example.org")
    service.mail.answers_to_rcpt = ["550 5.1.1 unknown"]
    assert len(service.deliver()) == 9
    assert service.mail.connections == 1


def test_a_silent_server_is_not_waited_for_for_ever(
    open_service: OpenService, settings: Settings, mail_server: smtp.MailServer
) -> None:
    assert settings.mail_server is not None
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        service = open_service(mail_server=replace(settings.mail_server, port=port, timeout=0.2))
        service.subscribe()
        assert service.work() == []
        assert (state(service), replies(service)) == ("deferred", ["timeout"])


def test_a_server_that_is_not_there_is_tried_again(open_service: OpenService, settings: Settings) -> None:
    assert settings.mail_server is not None
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    service = open_service(mail_server=replace(settings.mail_server, port=port))
    service.subscribe()
    service.work()
    assert (state(service), replies(service)) == ("deferred", ["connection"])


@pytest.mark.parametrize(
    ("told", "seconds"),
    [
        ("try again in 300 seconds", 300),
        ("wait 7 minutes", 420),
        ("try again in 2 seconds", 5),
        ("in 900 minutes", 3600),
    ],
)
def test_a_server_that_says_when_to_come_back_is_believed_up_to_an_hour(
    service: Service, told: str, seconds: int
) -> None:
    with time_machine.travel(clock.now(), tick=False) as moved:
        service.subscribe()
        service.mail.answers_to_rcpt = [f"450 4.2.0 greylisted, {told}"]
        assert service.work() == []
        moved.shift(timedelta(seconds=seconds - 1))
        assert service.work() == []
        moved.shift(timedelta(seconds=1))
        assert service.letter().delivered.recipient == ADA


def test_a_letter_is_tried_after_5_s_30_s_2_min_10_min_and_then_hourly_for_3_days(service: Service) -> None:
    tried: list[timedelta] = []
    with time_machine.travel(START, tick=False) as clock:
        service.mail.on_rcpt = lambda: tried.append(datetime.now(UTC) - START)
        service.mail.answers_to_rcpt = ["451 4.3.0 later"] * 100
        service.subscribe()
        service.work()
        for wait in [*STEPS, *[HOUR] * 71]:
            assert state(service) == "deferred"
            clock.shift(wait - timedelta(milliseconds=1))
            before = len(tried)
            service.work()
            assert len(tried) == before
            clock.shift(timedelta(milliseconds=1))
            service.work()
            assert len(tried) == before + 1
        assert state(service) == "failed"
        clock.shift(HOUR)
        service.work()
    waits = [later - earlier for earlier, later in pairwise(tried)]
    assert waits == [*STEPS, *[HOUR] * 71]
    assert tried[-1] <= timedelta(days=3)


def _decline(service: Service) -> None:
    service.post(f"{Letter(service.mail.letters[-1]).link}/decline")


def _confirm(service: Service) -> None:
    service.post(Letter(service.mail.letters[-1]).link)


def _leave(service: Service) -> None:
    service.post(service.status()["weekly"]["links"]["unsubscribe"].removeprefix("https://subscribe.example.org"))


def _complain(service: Service) -> None:
    with service.database.transaction() as session:
        (row,) = service.rows("SELECT digest FROM subscribers")
        suppress(session, row.digest, Reason.COMPLAINT, since=datetime.now(UTC))


@pytest.mark.parametrize("change", [_decline, _confirm, _leave, _complain])
def test_what_became_untrue_meanwhile_is_never_sent(service: Service, change: Callable[[Service], None]) -> None:
    with time_machine.travel(START, tick=True) as clock:
        service.subscribe()
        service.mail.on_taken = _lose_the_answer
        assert len(service.deliver()) == 1
        service.mail.on_taken = lambda: None
        assert state(service) == "deferred"
        change(service)
        clock.shift(timedelta(hours=1))
        acknowledgements = [letter.subject for letter in service.work()]
        assert all("uitgeschreven" in subject for subject in acknowledgements)
        kept = [row.state for row in service.rows("SELECT state FROM letters WHERE kind = 'confirmation'")]
        assert kept in ([], ["dropped"])


def _lose_the_answer() -> None:
    raise ConnectionResetError


def test_a_person_may_press_before_the_server_has_answered(service: Service) -> None:
    service.subscribe()
    service.mail.on_taken = lambda: _decline(service)
    assert len(service.deliver()) == 1
    assert service.status() is None
    assert service.rows("SELECT * FROM letters") == []
    assert service.events() == ["subscription.requested", "subscription.declined"]
