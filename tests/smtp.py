"""A real SMTP server for tests, which keeps what it is given."""

from asyncio import Server as AsyncioServer
from collections.abc import Iterator
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


class MailServer(Controller):
    """`letters` are those it took; `answers` are replies it gives to RCPT or DATA before it takes any more."""

    def __init__(self) -> None:
        self.letters: list[Delivered] = []
        self.answers_to_rcpt: list[str] = []
        self.answers_to_data: list[str] = []
        super().__init__(self, hostname="127.0.0.1", port=0)

    def _trigger_server(self) -> None:
        """aiosmtpd greets itself on the port it asked for, which is not the port that 0 was turned into."""
        assert isinstance(self.server, AsyncioServer)
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()  # type: ignore[no-untyped-call]

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        if self.answers_to_rcpt:
            return self.answers_to_rcpt.pop(0)
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        if self.answers_to_data:
            return self.answers_to_data.pop(0)
        self.letters.append(Delivered(envelope.mail_from, envelope.rcpt_tos[0], envelope.original_content))
        return "250 2.0.0 taken"


@contextmanager
def running() -> Iterator[MailServer]:
    server = MailServer()
    server.start()
    try:
        yield server
    finally:
        server.stop()
