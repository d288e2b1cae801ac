"""The LMTP listener: one process that waits for mail servers, and a few that take the mails."""

import asyncio
import signal
import socket
from contextlib import suppress
from typing import Any

import structlog

from app.feedback_mail.intake_pool import IntakePool
from app.feedback_mail.lmtp import LmtpConnection, TooManyConnections

MOST_CONNECTIONS = 100
"""At once; each may hold 512 KiB, as dots in a mail may be doubled."""
GRACE_SECONDS = 8.0
"""For the mails in flight, when the listener is told to stop."""
LOOK_SECONDS = 0.05

log = structlog.get_logger()


def run(listening: socket.socket) -> None:
    """Until SIGTERM or SIGINT; then takes no new mail, and finishes those in flight."""
    asyncio.run(_run(listening))


async def _run(listening: socket.socket) -> None:
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    loop.set_exception_handler(_log_fault)
    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, stop.set)
    pool, connections = IntakePool(), set[LmtpConnection]()
    host = socket.gethostname()

    def accept() -> asyncio.BaseProtocol:
        full = len(connections) >= MOST_CONNECTIONS
        return TooManyConnections() if full else LmtpConnection(pool.take, connections, host)

    server = await loop.create_server(accept, sock=listening)
    announcing = asyncio.create_task(_announce(pool, listening))
    await stop.wait()
    announcing.cancel()
    server.close()
    await _finish(connections)
    await pool.close()


async def _announce(pool: IntakePool, listening: socket.socket) -> None:
    await pool.is_ready.wait()
    host, port, *_ = listening.getsockname()
    log.info("feedback.listening", host=host, port=port)


async def _finish(connections: set[LmtpConnection]) -> None:
    for each in list(connections):
        each.stop()
    with suppress(TimeoutError):
        async with asyncio.timeout(GRACE_SECONDS):
            while connections:
                await asyncio.sleep(LOOK_SECONDS)


def _log_fault(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Without its text, which may quote what a client said. A client that hangs up early is none."""
    error = context.get("exception")
    if not isinstance(error, ConnectionError):
        log.error("feedback.failed", error=type(error).__name__)
