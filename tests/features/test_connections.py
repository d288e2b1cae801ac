"""Several connections of one worker, several commands in one packet, several letters in one record."""

import threading
from dataclasses import replace
from threading import Event

import pytest
from sqlalchemy import text

from app import clock
from app.mail import send
from app.mail.circuit_breaker import CircuitBreaker
from app.suppressions import Reason, suppress
from app.worker import mail_loop
from config import Settings
from tests.features.conftest import OpenService
from tests.outbox import state
from tests.refusing import refuse_acceptance_of
from tests.scripted_smtp import ScriptedServer
from tests.service import ADA, Service
from tests.smtp import Delivered

CONNECTIONS = 4
PATIENCE_SECONDS = 60
TOO_MANY = "421 4.7.0 too many connections from your host"


@pytest.fixture
def service(open_service: OpenService, settings: Settings) -> Service:
    assert settings.mail_server is not None
    return open_service(mail_server=replace(settings.mail_server, connections=CONNECTIONS))


@pytest.fixture
def scripted(open_service: OpenService, settings: Settings, relay: ScriptedServer) -> Service:
    assert settings.mail_server is not None
    return open_service(mail_server=replace(settings.mail_server, port=relay.port, timeout=3, connections=CONNECTIONS))


def crowd(service: Service, number: int, domain: str = "example.org") -> None:
    for each in range(number):
        assert service.subscribe(f"ada{each}@{domain}").status_code == 202


def states(service: Service) -> list[str]:
    return sorted(row.state for row in service.rows("SELECT state FROM letters"))


def test_four_letters_are_on_their_way_at_once(service: Service) -> None:
    at_once = threading.Barrier(CONNECTIONS, timeout=PATIENCE_SECONDS)
    service.mail.on_taken = at_once.wait
    crowd(service, CONNECTIONS)
    crowd(service, CONNECTIONS, "example.com")
    assert len(service.deliver()) == 2 * CONNECTIONS
    assert service.mail.connections == CONNECTIONS
    assert states(service) == ["sent"] * 2 * CONNECTIONS


def test_a_domain_that_the_relay_is_slow_for_keeps_no_other_waiting(service: Service) -> None:
    others, slow = [], []
    others_are_through = Event()

    def take(letter: Delivered) -> None:
        recipient = letter.recipient
        if recipient.endswith("@slow.example.org"):
            slow.append(recipient)
            assert others_are_through.wait(PATIENCE_SECONDS)
        else:
            others.append(recipient)
            if len(others) == CONNECTIONS:
                others_are_through.set()

    service.mail.on_letter = take
    crowd(service, 2 * CONNECTIONS, "slow.example.org")
    crowd(service, CONNECTIONS)
    begun: list[int] = []
    threading.Thread(target=lambda: begun.append(others_are_through.wait(PATIENCE_SECONDS) and len(slow))).start()
    assert len(service.deliver()) == 3 * CONNECTIONS
    assert begun[0] <= CONNECTIONS // 2


def test_a_server_that_takes_fewer_connections_gets_the_letters_over_those(
    scripted: Service, relay: ScriptedServer
) -> None:
    with mail_loop.dispatcher(scripted.app, Event()) as mail:
        crowd(scripted, 1)
        mail.deliver_due()
        relay.say("greeting", *[TOO_MANY] * 100)
        for number in range(1, 9):
            scripted.subscribe(f"ada{number}@example.org")
        mail.deliver_due()
    assert len(relay.contents) == 9
    assert states(scripted) == ["sent"] * 9


def test_commands_go_in_one_packet_where_the_server_offers_that(scripted: Service, relay: ScriptedServer) -> None:
    relay.usual["EHLO"] = "250-relay.example.org\r\n250 PIPELINING"
    scripted.subscribe()
    scripted.deliver()
    (group,) = [each for each in relay.packets if each.startswith(b"MAIL")]
    assert [line.partition(b" ")[0] for line in group.splitlines()] == [b"MAIL", b"RCPT", b"DATA"]
    assert state(scripted) == "sent"


def test_commands_go_one_by_one_where_it_does_not(scripted: Service, relay: ScriptedServer) -> None:
    scripted.subscribe()
    scripted.deliver()
    assert [each.count(b"\n") for each in relay.packets if each.startswith((b"MAIL", b"RCPT", b"DATA"))] == [1, 1, 1]


def test_a_server_that_offers_to_take_several_and_cannot_gets_them_one_by_one(
    scripted: Service, relay: ScriptedServer
) -> None:
    relay.usual["EHLO"] = "250-relay.example.org\r\n250 PIPELINING"
    relay.forgets_what_comes_early = True
    scripted.subscribe()
    with mail_loop.dispatcher(scripted.app, Event()) as mail:
        mail.deliver_due()
        assert state(scripted) == "deferred"
        scripted.subscribe("grace@example.org")
        mail.deliver_due()
    assert len(relay.contents) == 1


def test_a_server_that_asks_for_content_after_a_refusal_gets_no_empty_letter(
    scripted: Service, relay: ScriptedServer
) -> None:
    relay.usual["EHLO"] = "250-relay.example.org\r\n250 PIPELINING"
    relay.say("RCPT", "550 5.1.1 no such user")
    scripted.subscribe()
    scripted.deliver()
    assert (relay.contents, state(scripted)) == ([], "bounced")


def test_who_is_suppressed_while_the_letter_waits_for_a_connection_gets_none(
    open_service: OpenService, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = open_service()
    monkeypatch.setattr(send, "FRESH_SECONDS", 0.0)
    service.subscribe()
    service.subscribe("grace@example.org")

    def decline() -> None:
        with service.database.transaction() as session:
            digest = session.scalar(text("SELECT digest FROM subscribers WHERE address = 'grace@example.org'"))
            suppress(session, str(digest), Reason.COMPLAINT, since=clock.now())

    service.mail.on_taken = decline
    assert [each.delivered.recipient for each in service.deliver()] == [ADA]
    assert states(service) == ["dropped", "sent"]


def test_a_letter_that_cannot_be_recorded_does_not_keep_others_from_it_and_is_not_repeated_at_once(
    service: Service,
) -> None:
    refuse_acceptance_of(service, "events")
    service.subscribe()
    service.subscribe("grace@example.org", newsletters="events")
    assert len(service.deliver()) == 2
    assert states(service) == ["deferred", "sent"]
    assert service.events().count("letter.accepted") == 1
    assert service.deliver() == []


def test_failures_of_letters_that_were_under_way_make_no_rest_longer() -> None:
    at = 0.0
    breaker = CircuitBreaker(steady=lambda: at)
    rests = [breaker.failed() for _ in range(CONNECTIONS)]
    assert len(set(rests)) == 1
    assert not breaker.worked(), "that one was under way too"
    assert breaker.room(20) == 0
    at = rests[0].total_seconds()
    assert breaker.room(20) == 1
    breaker.worked()
    assert breaker.room(20) == 20
