"""The processes that take mails for the listener. One that ends, or does not answer in time, is replaced.

The mail that it had is to come again, so a mail that does harm to a process harms no other mail.
"""

import asyncio
import json
import socket
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass

import structlog

from app.feedback_mail import intake_process

PROCESSES = 2
PROGRAM = (sys.executable, "-m", intake_process.__name__)
PATIENCE_SECONDS = 40.0
"""For a mail. What waits for the database ends before."""
PAUSE_SECONDS = 1.0
"""Before a process is replaced: those that cannot start would else take all processor time."""
LEAVE_SECONDS = 1.0
"""For a process to end by itself, when it is told to."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _HandedOver:
    raw: bytes
    recipients: list[str]
    answer: "asyncio.Future[list[bool]]"

    def settle(self, answer: list[bool] | None) -> None:
        """None: nobody knows what became of the mail, so it is to come again."""
        if not self.answer.done():
            self.answer.set_result(answer or [False] * len(self.recipients))


class IntakePool:
    def __init__(self) -> None:
        self.is_ready = asyncio.Event()
        """Set once a process waits for mails."""
        self._mails: asyncio.Queue[_HandedOver] = asyncio.Queue()
        self._keepers = [asyncio.create_task(self._keep()) for _ in range(PROCESSES)]

    async def take(self, raw: bytes, recipients: list[str]) -> list[bool]:
        """As `MailIntake.take`. Waits for a process that has nothing to do."""
        mail = _HandedOver(raw, recipients, asyncio.get_running_loop().create_future())
        self._mails.put_nowait(mail)
        return await mail.answer

    async def close(self) -> None:
        """Mails that are not taken by now are to come again."""
        for each in self._keepers:
            each.cancel()
        while not self._mails.empty():
            self._mails.get_nowait().settle(None)
        await asyncio.gather(*self._keepers, return_exceptions=True)

    async def _keep(self) -> None:
        while True:
            try:
                async with _started() as process:
                    reason = await self._feed(process)
                log.warning("process.replaced", kind="feedback", reason=reason)
            except OSError as error:
                # No free descriptor or process is left.
                log.error("process.not_started", kind="feedback", error=type(error).__name__)
            await asyncio.sleep(PAUSE_SECONDS)

    async def _feed(self, process: "_IntakeProcess") -> str:
        """Until the process has to be replaced. Returns why."""
        ended = asyncio.create_task(process.inner.wait())
        if await process.reader.readline():
            self.is_ready.set()
        while mail := await self._next(ended):
            answer: list[bool] | None = None
            try:
                answer = await process.answer(mail)
            except TimeoutError:
                return "silent"
            finally:
                mail.settle(answer)
            if answer is None:
                break
        return "ended"

    async def _next(self, ended: "asyncio.Task[int]") -> _HandedOver | None:
        """None once the process has ended."""
        while True:
            waiting = asyncio.create_task(self._mails.get())
            await asyncio.wait((waiting, ended), return_when=asyncio.FIRST_COMPLETED)
            if not ended.done():
                mail = waiting.result()
                if not mail.answer.done():
                    return mail
                # Its client has gone, and hands it over again.
            elif waiting.cancel():
                return None
            else:
                self._mails.put_nowait(waiting.result())
                return None


@dataclass(frozen=True, slots=True)
class _IntakeProcess:
    inner: Process
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def answer(self, mail: _HandedOver) -> list[bool] | None:
        """None if the process ends before. Raises TimeoutError."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            try:
                self.writer.write(intake_process.request(mail.raw, mail.recipients))
                await self.writer.drain()
                line = await self.reader.readline()
            except ConnectionError:
                return None
        return [bool(each) for each in json.loads(line)] if line.endswith(b"\n") else None


@asynccontextmanager
async def _started() -> AsyncIterator[_IntakeProcess]:
    ours, theirs = socket.socketpair()
    reader, writer = await asyncio.open_unix_connection(sock=ours)
    with closing(writer):
        with theirs:
            process = await asyncio.create_subprocess_exec(*PROGRAM, stdin=theirs.fileno())
        try:
            yield _IntakeProcess(process, reader, writer)
        finally:
            writer.close()
            await _end(process)


async def _end(process: Process) -> None:
    try:
        async with asyncio.timeout(LEAVE_SECONDS):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
