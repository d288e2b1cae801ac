"""`jawel worker`: it does what is due once, or goes on until it is told to stop."""

import asyncio
import signal
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.commands import PATIENCE_SECONDS, Jawel
from tests.engines import on_sqlite
from tests.service import ADA, Service
from tests.smtp import MailServer

MANY = 12


def test_worker_once_does_what_is_due_and_exits(service: Service, jawel: Jawel) -> None:
    service.subscribe()
    with jawel.started("worker", "--once") as process:
        said = process.communicate(timeout=PATIENCE_SECONDS)[0]
    assert process.returncode == 0
    assert [letter.recipient for letter in service.mail.letters] == [ADA]
    assert '"event": "letter.sent"' in said
    assert "example.org" not in said


class HesitantServer(MailServer):
    """It takes its time over a letter, above all the first: until `go` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.reading = threading.Event()
        self.go = threading.Event()

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        self.reading.set()
        while not self.go.is_set():
            await asyncio.sleep(0.02)
        await asyncio.sleep(0.1)
        return await super().handle_DATA(server, session, envelope)


class TestWorkerTold:
    """What a worker does between SIGTERM and its end."""

    @pytest.fixture
    def mail_server(self) -> Iterator[HesitantServer]:
        server = HesitantServer()
        server.start()
        yield server
        server.go.set()
        server.stop()

    def test_it_finishes_the_letter_in_hand_and_gives_back_the_others(
        self, service: Service, jawel: Jawel, mail_server: HesitantServer
    ) -> None:
        for number in range(MANY):
            service.subscribe(f"ada{number}@example.org")
        with jawel.started("worker") as process:
            assert mail_server.reading.wait(PATIENCE_SECONDS)
            process.send_signal(signal.SIGTERM)
            mail_server.go.set()
            assert process.wait(PATIENCE_SECONDS) == 0
        sent = len(mail_server.letters)
        # A signal may take its time on a busy machine, and the next letter is begun.
        assert 1 <= sent < MANY
        states = service.rows("SELECT state, lease, attempts FROM letters ORDER BY state")
        assert [tuple(row) for row in states] == [("queued", None, 0)] * (MANY - sent) + [("sent", None, 1)] * sent

    @on_sqlite
    def test_it_does_not_wait_for_a_mail_server_that_hangs(
        self, service: Service, jawel: Jawel, mail_server: HesitantServer
    ) -> None:
        jawel.environment["MAIL_TIMEOUT"] = "300"
        service.subscribe()
        with jawel.started("worker") as process:
            assert mail_server.reading.wait(PATIENCE_SECONDS)
            process.send_signal(signal.SIGTERM)
            assert process.wait(PATIENCE_SECONDS) == 0
        assert [row.state for row in service.rows("SELECT state FROM letters")] == ["queued"]
