"""What becomes of mails when `jawel feedback listen` is stopped or killed, or one of the processes that take them."""

import asyncio
import os
import signal
import smtplib
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from app.feedback.parsers import limits
from app.feedback_mail import intake_pool
from app.feedback_mail.intake_pool import IntakePool
from app.resources import resources_of
from tests.commands import PATIENCE_SECONDS, Jawel, eventually
from tests.concurrency import await_lock, holding, in_a_loop
from tests.costly_mails import COSTLY
from tests.engines import on_postgresql, on_sqlite
from tests.lmtp import NOBODY, Listening, LmtpClient, children, listening
from tests.returned_mails import returned
from tests.service import Service

SUBSCRIPTIONS = "SELECT id FROM subscriptions FOR UPDATE"


@pytest.fixture
def patient(service: Service, jawel: Jawel) -> Jawel:
    """Waits for a lock until it is free."""
    url = resources_of(service.app).settings.database_url
    return replace(jawel, environment={**jawel.environment, "DATABASE_URL": f"{url}&options=-clock_timeout%3D0"})


@pytest.fixture
def lmtp(service: Service, jawel: Jawel, tmp_path: Path) -> Iterator[Listening]:
    with listening(jawel, tmp_path / "log") as running:
        yield running


def bounce(service: Service) -> bytes:
    service.subscribe()
    return returned(service.letter())


def status(service: Service) -> str:
    found = service.status()
    assert found
    return str(found["weekly"]["status"])


@contextmanager
def in_flight(service: Service, lmtp: Listening, mail: bytes) -> Iterator[LmtpClient]:
    """A client whose mail has begun to be stored."""
    with closing(lmtp.client()) as client:
        client.begin(NOBODY)
        client.send_whole(mail)
        await_lock(service)
        yield client


def has_been_told_to_stop(lmtp: Listening, idle: LmtpClient) -> bool:
    lmtp.process.send_signal(signal.SIGTERM)
    return idle.getreply()[0] == 421 and not is_open(lmtp)


def is_open(lmtp: Listening) -> bool:
    with suppress(ConnectionError), socket.create_connection(("127.0.0.1", lmtp.port)):
        return True
    return False


@on_postgresql
def test_told_to_stop_it_finishes_the_mail_in_flight(service: Service, patient: Jawel, tmp_path: Path) -> None:
    mail, held = bounce(service), ExitStack()
    held.enter_context(holding(service, SUBSCRIPTIONS))
    with held, listening(patient, tmp_path / "log") as lmtp, lmtp.client() as idle:
        idle.ehlo()
        with in_flight(service, lmtp, mail) as client:
            assert has_been_told_to_stop(lmtp, idle)
            held.close()
            assert client.getreply()[0] == 250
            assert lmtp.process.wait(PATIENCE_SECONDS) == 0
    assert status(service) == "bounced"
    assert [line["event"] for line in lmtp.lines()] == ["feedback.taken"]


@on_postgresql
def test_what_cannot_be_finished_in_time_is_to_come_again(service: Service, patient: Jawel, tmp_path: Path) -> None:
    mail = bounce(service)
    with holding(service, SUBSCRIPTIONS), listening(patient, tmp_path / "log") as lmtp, lmtp.client() as idle:
        idle.ehlo()
        with in_flight(service, lmtp, mail) as client:
            assert has_been_told_to_stop(lmtp, idle)
            assert client.getreply()[0] == 451
            assert lmtp.process.wait(PATIENCE_SECONDS) == 0
    assert lmtp.lines() == []
    assert status(service) == "pending"


@on_postgresql
def test_a_mail_whose_process_is_killed_is_to_come_again(service: Service, patient: Jawel, tmp_path: Path) -> None:
    mail = bounce(service)
    with listening(patient, tmp_path / "log") as lmtp:
        with holding(service, SUBSCRIPTIONS), in_flight(service, lmtp, mail) as client:
            for pid in lmtp.processes():
                os.kill(pid, signal.SIGKILL)
            assert client.getreply()[0] == 451
        assert status(service) == "pending"
        assert lmtp.hand_over(mail) == [250]
    assert status(service) == "bounced"
    events = [line["event"] for line in lmtp.lines()]
    assert events.count("process.replaced") in {1, 2}
    assert events[-1] == "feedback.taken"


@on_sqlite
def test_a_process_that_hangs_is_replaced(jawel: Jawel, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in jawel.environment.items():
        monkeypatch.setenv(name, value)
    # It is forty seconds.
    monkeypatch.setattr(intake_pool, "PATIENCE_SECONDS", 0.5)

    others = children(os.getpid())

    async def hand_over() -> None:
        pool = IntakePool()
        await pool.is_ready.wait()
        while len(children(os.getpid())) < len(others) + intake_pool.PROCESSES:
            await asyncio.sleep(0.01)
        for pid in set(children(os.getpid())) - set(others):
            os.kill(pid, signal.SIGSTOP)
        assert await pool.take(b"", [NOBODY]) == [False]
        # On a busy machine those that took its place may take longer, too.
        while await pool.take(b"", [NOBODY]) == [False]:
            pass
        await pool.close()

    in_a_loop(hand_over)
    assert children(os.getpid()) == others


@on_sqlite
def test_processes_that_end_are_replaced_and_end_with_the_listener(lmtp: Listening) -> None:
    eventually(lambda: len(lmtp.processes()) == 2)
    before = lmtp.processes()
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    eventually(lambda: len(set(lmtp.processes()) - set(before)) == 2)
    assert lmtp.hand_over(b"") == [250]
    after = lmtp.processes()
    lmtp.process.kill()
    lmtp.process.wait()
    eventually(lambda: not any(is_alive(pid) for pid in after))


def is_alive(pid: int) -> bool:
    # Whoever adopts a process may take a while to bury it.
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def test_whatever_was_answered_before_it_was_killed_is_stored(service: Service, jawel: Jawel, tmp_path: Path) -> None:
    people = [f"ada{number}@example.org" for number in range(40)]
    for email in people:
        service.subscribe(email)
    mails = {letter.delivered.recipient: returned(letter) for letter in service.deliver()}
    assert set(mails) == set(people)
    answered: list[str] = []

    def hand_over(lmtp: Listening, these: list[str]) -> None:
        with suppress(OSError, smtplib.SMTPException), lmtp.client() as client:
            for email in these:
                if client.hand_over(mails[email], NOBODY) == [250]:
                    answered.append(email)

    with listening(jawel, tmp_path / "log") as lmtp, ThreadPoolExecutor(4) as clients:
        for number in range(4):
            clients.submit(hand_over, lmtp, people[number::4])
        eventually(lambda: len(answered) >= 10)
        processes = lmtp.processes()
        lmtp.process.kill()
        eventually(lambda: not any(is_alive(pid) for pid in processes))
    assert {line["event"] for line in lmtp.lines()} == {"feedback.taken"}
    assert {bounced(service, email) for email in answered} == {True}
    answered.clear()
    with listening(jawel, tmp_path / "again") as lmtp:
        hand_over(lmtp, people)
    assert answered == people
    assert service.events().count("subscription.bounced") == len(people)


def bounced(service: Service, email: str) -> bool:
    found = service.status(email)
    return bool(found and found["weekly"]["status"] == "bounced")


@on_sqlite
def test_a_costly_mail_to_many_is_done_with_and_the_next_one_is_read(service: Service, lmtp: Listening) -> None:
    mail = bounce(service)
    with lmtp.client() as client:
        assert client.hand_over(COSTLY["empty blocks of a report"](limits.MAX_BYTES), *[NOBODY] * 100) == [250] * 100
        assert client.hand_over(mail, NOBODY) == [250]
    last = lmtp.lines()[-1]
    assert last["outcome"] == "taken"
    assert status(service) == "bounced"
