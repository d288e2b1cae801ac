"""LMTP (RFC 2033): a mail server hands a mail over, and is answered behind its final dot, once for each recipient.

No mail is refused for good. What aiosmtpd checks of senders, sizes and the lengths of lines is left out: the mail
server has let the mail in, and a refusal would have a bounce sent. Of a long mail the beginning is kept.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from aiosmtpd.lmtp import LMTP
from aiosmtpd.smtp import Envelope

from app.feedback.parsers import limits

MOST_RECIPIENTS = 100
"""Of one mail; RFC 5321 section 4.5.3.1.8 lets a server take no fewer."""
SECONDS_OF_SILENCE = 60.0
"""From one command to the next, and for the whole of a mail."""
NULL_SENDER, SOMEBODY = "<>", "<somebody>"
RETURN_PATH = b"Return-Path: <>\r\n"
"""Final delivery notes the sender so (RFC 5321 section 4.4), and this is where a bounce is told from a mail."""
DONE = b"250 2.0.0 Done with"
AGAIN = b"451 4.3.0 Not now, try again later"
STOPPING = b"421 4.3.2 Stopping, try again later"
BUSY = b"421 4.3.2 Too many connections, try again later"

log = structlog.get_logger()

# It logs senders, recipients and whatever else a client says.
logging.getLogger("mail.log").disabled = True

Take = Callable[[bytes, list[str]], Awaitable[list[bool]]]
"""For each recipient, whether the mail is done with."""


class LmtpConnection(LMTP):
    # Of what is read at a time; a command has 512 (`command_size_limit`).
    line_length_limit = 64 * 1024

    def __init__(self, take: Take, others: "set[LmtpConnection]", hostname: str) -> None:
        super().__init__(
            _Replies(),
            hostname=hostname,
            ident="Jawel",
            data_size_limit=None,
            enable_SMTPUTF8=True,
            timeout=SECONDS_OF_SILENCE,
            loop=asyncio.get_running_loop(),
        )
        self._take = take
        self._others = others
        self._has_mail = self._is_stopping = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._others.add(self)

    def connection_lost(self, error: Exception | None) -> None:
        self._others.discard(self)
        super().connection_lost(error)

    def stop(self) -> None:
        """Closes the connection; if a mail is on its way, behind the replies to it."""
        self._is_stopping = True
        if not self._has_mail:
            self._say_goodbye()

    def _say_goodbye(self) -> None:
        if isinstance(self.transport, asyncio.Transport):
            self.transport.write(STOPPING + b"\r\n")
            self.transport.close()

    async def smtp_MAIL(self, arg: str | None) -> None:
        """Of the sender it matters only whether there is one: nothing is ever sent back."""
        if await self.check_helo_needed("LHLO"):
            return
        assert self.envelope is not None
        if self.envelope.mail_from:
            await self.push("503 5.5.1 Error: nested MAIL command")
        elif not (arg or "").upper().startswith("FROM:"):
            await self.push("501 5.5.4 Syntax: MAIL FROM:<address>")
        else:
            is_null = (arg or "")[len("FROM:") :].lstrip().startswith(NULL_SENDER)
            self.envelope.mail_from = NULL_SENDER if is_null else SOMEBODY
            await self.push("250 2.1.0 OK")

    async def smtp_RCPT(self, arg: str | None) -> None:
        """The address is passed on as it is written: what counts is the token in it."""
        assert self.envelope is not None
        if not self.envelope.mail_from:
            await self.push("503 5.5.1 Error: need MAIL command")
        elif not (arg or "").upper().startswith("TO:"):
            await self.push("501 5.5.4 Syntax: RCPT TO:<address>")
        elif len(self.envelope.rcpt_tos) >= MOST_RECIPIENTS:
            await self.push("452 4.5.3 Too many recipients")
        else:
            self.envelope.rcpt_tos.append((arg or "")[len("TO:") :].strip())
            await self.push("250 2.1.5 OK")

    async def smtp_DATA(self, arg: str | None) -> None:
        assert self.envelope is not None
        recipients = self.envelope.rcpt_tos
        if not recipients:
            await self.push("503 5.5.1 Error: need RCPT command")
            return
        self._has_mail = True
        note = RETURN_PATH if self.envelope.mail_from == NULL_SENDER else b""
        raw = note + await self._content()
        self.envelope = Envelope()
        self._reset_timeout()
        done_with = await self._take(raw, recipients)
        await self.push(b"\r\n".join(DONE if each else AGAIN for each in done_with))
        self._has_mail = False
        if self._is_stopping:
            self._say_goodbye()

    async def _content(self) -> bytes:
        """Its beginning, without the dots that were doubled on the way (RFC 5321 section 4.5.2)."""
        # The first line may be the final dot, so it begins behind a line's end as any other does.
        self._reader.feed_data(b"\r\n")
        await self.push("354 End data with <CR><LF>.<CR><LF>")
        kept = b""
        while True:
            try:
                last = await self._reader.readuntil(b"\r\n.\r\n")
            except asyncio.LimitOverrunError as error:
                # A line has a dot more on the way, so what is to be kept has at most twice the length.
                kept = (kept + await self._reader.read(error.consumed))[: 2 * limits.MAX_BYTES]
            else:
                content = kept + last.removesuffix(b".\r\n")
                return content.replace(b"\r\n.", b"\r\n").removeprefix(b"\r\n")[: limits.MAX_BYTES]


class _Replies:
    """What aiosmtpd asks for by these names."""

    async def handle_EHLO(self, _server: Any, session: Any, _envelope: Any, hostname: str, replies: list[str]) -> Any:
        session.host_name = hostname
        return [replies[0], "250-PIPELINING", "250-ENHANCEDSTATUSCODES", *replies[1:]]

    async def handle_NOOP(self, *_given: Any) -> str:
        return "250 2.0.0 OK"

    async def handle_RSET(self, *_given: Any) -> str:
        return "250 2.0.0 OK"

    async def handle_QUIT(self, *_given: Any) -> str:
        return "221 2.0.0 Bye"

    async def handle_exception(self, error: Exception) -> str:
        # Its text may quote what the client said.
        log.error("feedback.failed", error=type(error).__name__)
        return AGAIN.decode()


class TooManyConnections(asyncio.Protocol):
    """Sends the client away at once."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.write(BUSY + b"\r\n")
        transport.close()
