"""What a mail server lets our account do: which sender it may use, how it logs in, and what bounces say."""

from dataclasses import replace
from datetime import timedelta
from threading import Event
from uuid import UUID

import pytest
import time_machine

from app import clock
from app.worker import mail_loop
from config import Envelope, Settings
from tests.commands import Jawel
from tests.features.conftest import OpenService
from tests.figures import figure
from tests.outbox import replies, state
from tests.scripted_smtp import ScriptedServer
from tests.service import ADA, Service

GRACE = "grace@example.org"


@pytest.fixture
def service(open_service: OpenService, settings: Settings, relay: ScriptedServer) -> Service:
    assert settings.mail_server is not None
    return open_service(mail_server=replace(settings.mail_server, port=relay.port, timeout=3))


@pytest.mark.parametrize(
    ("stage", "answer"),
    [
        ("MAIL", "553 5.7.1 Sender address is not owned by this account"),
        ("MAIL", "550 5.7.60 This client may not send as this sender"),
        ("MAIL", "501 5.1.7 Bad sender address syntax"),
        ("RCPT", "553 5.7.1 <news@example.org>: Sender address rejected: not owned by user ada"),
        ("dot", "554 5.2.252 SendAsDenied; ada@example.org not allowed to send as news@example.org"),
    ],
)
def test_a_relay_that_lets_us_send_only_as_ourselves_gets_the_plain_sender_from_then_on(
    service: Service, relay: ScriptedServer, stage: str, answer: str
) -> None:
    relay.say(stage, answer)
    service.subscribe()
    service.deliver()
    assert state(service) == "sent"
    signed, plain = relay.senders
    assert signed.startswith("news+b")
    assert plain == "news@example.org"
    service.subscribe(GRACE)
    service.deliver()
    assert relay.senders[2:] == ["news@example.org"]


def test_what_refuses_the_plain_sender_too_rests_and_is_asked_with_the_signed_one_again(
    service: Service, relay: ScriptedServer
) -> None:
    refusal = "550 5.7.60 This client may not send as this sender"
    relay.say("MAIL", refusal, refusal)
    with time_machine.travel(clock.now()) as moved:
        service.subscribe()
        service.deliver()
        assert (state(service), replies(service)) == ("deferred", ["relay 550 5.7.60"])
        moved.shift(timedelta(minutes=6))
        service.deliver()
    assert state(service) == "sent"
    assert relay.senders[-1].startswith("news+b")


def test_the_plain_sender_can_be_set(open_service: OpenService, settings: Settings, relay: ScriptedServer) -> None:
    assert settings.mail_server is not None
    plain = replace(settings.mail_server, port=relay.port, envelope=Envelope.PLAIN)
    service = open_service(mail_server=plain)
    service.subscribe()
    service.deliver()
    assert relay.senders == ["news@example.org"]


def test_a_server_that_knows_delivery_status_notifications_is_asked_to_name_the_letter(
    service: Service, relay: ScriptedServer
) -> None:
    relay.usual["EHLO"] = "250-relay.example.org\r\n250-DSN\r\n250 8BITMIME"
    service.subscribe()
    service.deliver()
    (letter,) = service.rows("SELECT id FROM letters")
    mail, rcpt = (next(each for each in relay.commands if each.startswith(verb)) for verb in ("MAIL", "RCPT"))
    assert mail.endswith(f"RET=HDRS ENVID={UUID(str(letter.id))}")
    assert rcpt == f"RCPT TO:<{ADA}> NOTIFY=FAILURE"


def test_a_wrong_password_is_a_refusal_of_us(
    open_service: OpenService, settings: Settings, relay: ScriptedServer
) -> None:
    assert settings.mail_server is not None
    relay.usual |= {"EHLO": "250-relay.example.org\r\n250 AUTH PLAIN", "AUTH": "535 5.7.8 wrong"}
    named = replace(settings.mail_server, port=relay.port, username="ada", password="wrong")
    service = open_service(mail_server=named)
    service.subscribe()
    service.deliver()
    assert (state(service), replies(service)) == ("deferred", ["relay auth"])
    assert figure(service, "letters_refused_by_relay") == 1


def test_the_doctor_tells_what_letters_met_though_the_server_is_well_now(
    service: Service, relay: ScriptedServer, jawel: Jawel
) -> None:
    jawel.environment["MAIL_PORT"] = str(relay.port)
    service.subscribe()
    relay.say("RCPT", "550 5.7.1 Relaying denied")
    service.deliver()
    found = jawel("doctor")
    assert found.exit_code == 1
    assert "fail  relay: 1 letters wait, as the mail server refuses us (550 5.7.1)" in found.stdout
    assert "ok    mail: " in found.stdout


def test_the_doctor_warns_of_a_signed_sender_that_is_refused(
    service: Service, relay: ScriptedServer, jawel: Jawel
) -> None:
    jawel.environment["MAIL_PORT"] = str(relay.port)
    relay.say("MAIL", "550 5.7.60 This client may not send as this sender")
    service.subscribe()
    service.deliver()
    found = jawel("doctor")
    assert found.exit_code == 0, found.stdout
    assert "warn  relay: the mail server refuses signed envelope senders" in found.stdout
    assert relay.senders[-1] == "events@example.org", "unsigned"


def test_the_doctor_tries_the_plain_sender_that_letters_have(
    service: Service, relay: ScriptedServer, jawel: Jawel
) -> None:
    jawel.environment |= {"MAIL_PORT": str(relay.port), "FEEDBACK_ADDRESS": "bounces@mail.example.org"}
    assert jawel("doctor").exit_code == 0
    assert jawel("doctor", MAIL_ENVELOPE="plain").exit_code == 0
    signed, plain = relay.senders
    assert signed.startswith("bounces+b")
    assert plain == "events@example.org"


@pytest.mark.parametrize("stage", ["MAIL", "RCPT"])
def test_a_server_that_does_not_know_what_it_offers_gets_the_letter_without(
    service: Service, relay: ScriptedServer, stage: str
) -> None:
    relay.usual["EHLO"] = "250-relay.example.org\r\n250-DSN\r\n250 8BITMIME"
    relay.say(stage, "555 5.5.4 Unsupported option")
    with time_machine.travel(clock.now()) as moved, mail_loop.dispatcher(service.app, Event()) as mail:
        service.subscribe()
        mail.deliver_due()
        assert (state(service), replies(service)) == ("deferred", ["555 5.5.4"])
        moved.shift(timedelta(seconds=6))
        mail.deliver_due()
    assert state(service) == "sent"
    assert "NOTIFY" not in [each for each in relay.commands if each.startswith("RCPT")][-1]


@pytest.mark.parametrize("offered", ["PLAIN LOGIN", "LOGIN"])
def test_a_name_and_a_password_beyond_ascii_are_sent_as_utf_8(
    open_service: OpenService, settings: Settings, relay: ScriptedServer, offered: str
) -> None:
    assert settings.mail_server is not None
    relay.usual["EHLO"] = f"250-relay.example.org\r\n250 AUTH {offered}"
    relay.usual["CGFZC3FDTNJK"] = "235 2.7.0 OK"
    if offered == "LOGIN":
        relay.usual["AUTH"] = "334 UGFzc3dvcmQ6"
    named = replace(settings.mail_server, port=relay.port, username="adä", password="passwörd")
    service = open_service(mail_server=named)
    service.subscribe()
    service.deliver()
    assert state(service) == "sent"
    assert (
        relay.commands[1] == {"PLAIN LOGIN": "AUTH PLAIN AGFkw6QAcGFzc3fDtnJk", "LOGIN": "AUTH LOGIN YWTDpA=="}[offered]
    )
