"""What a mail server does at each stage, and what becomes of the letter, of the person and of the relay by it.

A refusal of us rests the relay and is recorded for nobody; one of a mailbox is a bounce, at whichever stage it comes.
"""

from dataclasses import dataclass, replace
from datetime import timedelta

import pytest
import time_machine

from app import clock
from config import Settings
from tests.features.conftest import OpenService
from tests.outbox import replies, state
from tests.scripted_smtp import CUT, SILENCE, WAIT, ScriptedServer
from tests.service import ADA, Service

GRACE = "grace@example.org"
LONG_AFTER = timedelta(hours=1, minutes=1)


@dataclass(frozen=True)
class Row:
    """One behaviour: what the server says, and what must come of it."""

    stage: str
    answer: str
    letter: str
    person: str = "pending"
    rests: bool = False
    """Whether the next letter waits for the relay."""
    kept: str | None = None
    """The reply that is kept of it, where it is not the codes of the answer."""
    counted: int = 0
    """Reports that are recorded for the mailbox."""

    def __str__(self) -> str:
        return f"{self.stage} {self.answer}"


def us(stage: str, answer: str) -> Row:
    return Row(stage, answer, "deferred", rests=True, kept=f"relay {codes(answer)}")


def codes(answer: str) -> str:
    code, _, rest = answer.partition(" ")
    enhanced = rest.partition(" ")[0]
    return f"{code} {enhanced}" if enhanced[:2] in ("2.", "4.", "5.") else code


ROWS = [
    Row("greeting", "554 5.7.1 no service here", "deferred", rests=True, kept="554"),
    Row("greeting", "421 4.3.2 too busy", "deferred", rests=True, kept="421"),
    Row("greeting", CUT, "deferred", rests=True, kept="connection"),
    Row("greeting", SILENCE, "deferred", rests=True, kept="timeout"),
    Row("MAIL", CUT, "deferred", kept="connection"),
    Row("MAIL", SILENCE, "deferred", kept="timeout"),
    Row("MAIL", WAIT, "sent", kept="250 2.0.0"),
    Row("MAIL", "451 4.3.0 later", "deferred"),
    us("MAIL", "503 5.5.1 polite people say hello first"),
    us("MAIL", "530 5.7.0 Must issue a STARTTLS command first"),
    us("MAIL", "535 5.7.8 Authentication failed"),
    us("RCPT", "530 Authentication required"),
    us("RCPT", "554 5.7.1 Client host is blocked by a list"),
    us("RCPT", "554 5.7.1 Service unavailable; Client host [192.0.2.7] blocked using list.example.net"),
    us("RCPT", "550 5.7.1 Relaying denied"),
    us("RCPT", "554 5.7.1 <ada@example.org>: Relay access denied"),
    us("RCPT", "550 relay not permitted"),
    us("RCPT", "550 5.4.5 The daily limit of this account is reached"),
    Row("RCPT", "450 4.7.1 Client host rejected: cannot find your hostname", "deferred", rests=True),
    Row("RCPT", "452 4.3.1 disk full", "deferred", rests=True),
    Row("RCPT", "421 4.3.2 closing", "deferred", rests=True),
    Row("RCPT", "450 4.2.0 greylisted", "deferred"),
    Row("RCPT", "252 2.1.5 Cannot verify, will try", "sent", kept="250 2.0.0"),
    Row("RCPT", "251 2.1.5 will forward", "sent", kept="250 2.0.0"),
    Row("RCPT", "550 5.1.1 No such user here", "bounced", "bounced", counted=1),
    Row("RCPT", "550 5.1.10 the domain takes no mail", "bounced", "bounced", counted=1),
    Row("RCPT", "550 unknown user", "bounced", "bounced", counted=1),
    Row("RCPT", "552 5.2.2 The mailbox is full", "failed", counted=1),
    Row("RCPT", "550 5.7.1 Rejected by the recipient's policy", "failed"),
    Row("DATA", "250 2.0.0 OK", "deferred"),
    Row("DATA", "451 4.3.0 not now", "deferred"),
    us("DATA", "550 5.7.1 relaying denied"),
    Row("DATA", CUT, "deferred", kept="connection"),
    Row("dot", WAIT, "sent", kept="250 2.0.0"),
    Row("dot", CUT, "deferred", rests=True, kept="no answer"),
    Row("dot", SILENCE, "deferred", rests=True, kept="no answer"),
    Row("dot", "noise", "deferred", rests=True, kept="no answer"),
    Row("dot", "450 4.2.0 greylisted", "deferred"),
    Row("dot", "550 5.1.1 No such user here", "bounced", "bounced", counted=1),
    Row("dot", "552 5.2.2 The mailbox is full", "failed", counted=1),
    Row("dot", "554 5.7.1 The content looks like spam", "failed"),
    us("dot", "550 5.4.5 Daily user sending limit exceeded"),
    us("dot", "554 Message rejected: Email address is not verified"),
]


@pytest.fixture
def service(open_service: OpenService, settings: Settings, relay: ScriptedServer) -> Service:
    assert settings.mail_server is not None
    if settings.database_url.startswith("postgresql"):
        # The database makes no difference to the server: so each behaviour is met one by one and in a group.
        relay.usual["EHLO"] += "\r\n250 PIPELINING"
        relay.usual["EHLO"] = relay.usual["EHLO"].replace("250 SMTPUTF8", "250-SMTPUTF8")
    return open_service(mail_server=replace(settings.mail_server, port=relay.port, timeout=3))


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_each_behaviour_of_a_server(service: Service, relay: ScriptedServer, row: Row) -> None:
    with time_machine.travel(clock.now(), tick=False) as moved:
        service.subscribe()
        moved.shift(timedelta(seconds=1))
        service.subscribe(GRACE)
        relay.say(row.stage, row.answer)
        service.deliver()
    ada, grace = service.status(), service.status(GRACE)
    assert (ada["weekly"]["status"], ada["weekly"]["confirmation_mail"]["state"]) == (row.person, row.letter)
    assert reply_to(service, ADA) == (codes(row.answer) if row.kept is None else row.kept)
    assert grace["weekly"]["confirmation_mail"]["state"] == ("queued" if row.rests else "sent")
    assert len(service.rows("SELECT * FROM feedback_reports")) == row.counted
    assert service.events().count("letter.accepted") == (row.letter == "sent") + (not row.rests)


def reply_to(service: Service, address: str) -> str:
    (row,) = service.rows(
        "SELECT letters.reply FROM letters JOIN subscribers ON subscribers.id = letters.subscriber_id"
        f" WHERE subscribers.address = '{address}'"
    )
    return str(row.reply)


def test_a_relay_that_answers_late_takes_the_letter_once(service: Service, relay: ScriptedServer) -> None:
    service.subscribe()
    relay.say("dot", WAIT)
    service.deliver()
    with time_machine.travel(clock.now() + LONG_AFTER):
        service.deliver()
    assert (len(relay.contents), state(service)) == (1, "sent")


@pytest.mark.parametrize("fate", [CUT, SILENCE])
def test_a_letter_that_is_never_answered_is_sent_three_times_hours_apart_and_no_more(
    service: Service, relay: ScriptedServer, fate: str
) -> None:
    relay.say("dot", *[fate] * 9)
    with time_machine.travel(clock.now()) as moved:
        service.subscribe()
        for sent in (1, 2, 3):
            service.deliver()
            moved.shift(timedelta(minutes=55))
            service.deliver()
            assert len(relay.contents) == sent
            moved.shift(timedelta(minutes=6))
        service.deliver()
    assert (len(relay.contents), state(service), replies(service)) == (3, "failed", ["no answer"])
    assert len(set(map(message_id, relay.contents))) == 1
    assert service.status()["weekly"]["status"] == "pending"


def test_a_refusal_for_now_that_comes_late_is_an_answer(service: Service, relay: ScriptedServer) -> None:
    relay.say("dot", *[f"{WAIT} 451 4.3.0 later"] * 4)
    with time_machine.travel(clock.now()) as moved:
        service.subscribe()
        for _ in range(4):
            service.deliver()
            assert (state(service), replies(service)) == ("deferred", ["451 4.3.0"])
            moved.shift(timedelta(minutes=11))
        service.deliver()
    assert state(service) == "sent"


def message_id(content: bytes) -> bytes:
    (found,) = (line for line in content.splitlines() if line.lower().startswith(b"message-id:"))
    return found


def test_a_worker_that_dies_while_it_waits_leaves_the_letter_alone_for_an_hour(
    service: Service, relay: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.mail.send._leave_unanswered", lambda *_: None)  # as if it had been killed before
    relay.say("dot", SILENCE)
    with time_machine.travel(clock.now()) as moved:
        service.subscribe()
        service.deliver()
        moved.shift(timedelta(minutes=50))
        service.deliver()
        assert len(relay.contents) == 1
        moved.shift(timedelta(minutes=11))
        service.deliver()
    assert (len(relay.contents), state(service)) == (2, "sent")


def test_a_relay_that_refuses_us_is_probed_with_one_letter_and_then_gets_all(
    service: Service, relay: ScriptedServer
) -> None:
    people = [f"person{number}@example.org" for number in range(5)]
    relay.say("RCPT", "550 5.7.1 Relaying denied", "550 5.7.1 Relaying denied")
    with time_machine.travel(clock.now()) as moved:
        for email in people:
            service.subscribe(email)
        service.deliver()
        service.deliver()
        assert len(relay.contents) == 0
        service.deliver()
        assert len(relay.contents) == 3
        moved.shift(timedelta(minutes=6))
        service.deliver()
    assert len(relay.contents) == 5
    assert service.rows("SELECT * FROM feedback_reports") == []


def test_a_letter_waits_seven_days_for_its_relay(service: Service, relay: ScriptedServer) -> None:
    relay.say("RCPT", *["550 5.7.1 Relaying denied"] * 20)
    with time_machine.travel(clock.now()) as moved:
        service.subscribe()
        for _ in range(7):
            service.deliver()
            assert state(service) == "deferred"
            moved.shift(timedelta(hours=23))
        moved.shift(timedelta(hours=8))
        service.deliver()
        assert state(service) == "failed"
