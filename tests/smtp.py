"""A real SMTP server for tests, which keeps what it is given."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller


@dataclass(frozen=True, slots=True)
class Delivered:
    sender: str
    recipient: str
    raw: bytes

    @property
    def message(self) -> EmailMessage:
        return message_from_bytes(self.raw, policy=policy.default)

    def part(self, kind: str) -> str:
        body = self.message.get_body((kind,))
        assert body is not None
        return str(body.get_content()).replace("\r\n", "\n")


HANG_UP = "hang up"
"""Instead of an answer, or behind one and a space: the server closes the connection."""


class MailServer(Controller):
    """`letters` are those it took; `answers` are replies it gives to RCPT or DATA before it takes any more.

    `on_rcpt`, `on_letter` and `on_taken` are called in a thread of their own, so that others are served meanwhile:
    before it answers RCPT, and when it has a letter but has not said so yet. With several connections only `on_letter`
    tells which letter.
    """

    def __init__(self, *, port: int = 0, **options: Any) -> None:
        """On any port that is free, where none is named. `options` are aiosmtpd's."""
        self.letters: list[Delivered] = []
        self.answers_to_rcpt: list[str] = []
        self.answers_to_data: list[str] = []
        self.on_rcpt: Callable[[], object] = lambda: None
        self.on_letter: Callable[[Delivered], object] = lambda _letter: None
        self.on_taken: Callable[[], object] = lambda: None
        self.options_to_mail: list[list[str]] = []
        self.greeted_by: list[str] = []
        self.connections = 0
        super().__init__(self, hostname="127.0.0.1", port=port, **options)

    def factory(self) -> Any:
        self.connections += 1
        return super().factory()  # type: ignore[no-untyped-call]

    def _trigger_server(self) -> None:
        """aiosmtpd greets itself on the port it asked for, which is not the port that 0 was turned into."""
        assert isinstance(self.server, asyncio.Server)
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()  # type: ignore[no-untyped-call]
        self.connections = 0

    async def handle_EHLO(self, server: Any, session: Any, envelope: Any, hostname: str, responses: Any) -> Any:
        self.greeted_by.append(hostname)
        session.host_name = hostname
        return responses

    async def handle_MAIL(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        self.options_to_mail.append(options)
        envelope.mail_from = address
        return "250 2.1.0 OK"

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        await asyncio.to_thread(self.on_rcpt)
        if self.answers_to_rcpt:
            return _told(server, self.answers_to_rcpt.pop(0))
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        if self.answers_to_data:
            return _told(server, self.answers_to_data.pop(0))
        letter = Delivered(envelope.mail_from, envelope.rcpt_tos[0], envelope.original_content)
        self.letters.append(letter)
        await asyncio.to_thread(self.on_letter, letter)
        await asyncio.to_thread(self.on_taken)
        return "250 2.0.0 taken"


def _told(server: Any, answer: str) -> str:
    if answer == HANG_UP:
        server.transport.abort()
    elif answer.endswith(HANG_UP):
        asyncio.get_running_loop().call_soon(server.transport.close)
    return answer.removesuffix(HANG_UP).rstrip()


@contextmanager
def running(**options: Any) -> Iterator[MailServer]:
    server = MailServer(**options)
    server.start()
    try:
        yield server
    finally:
        server.stop()
