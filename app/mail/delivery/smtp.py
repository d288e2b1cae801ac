"""SMTP transport: sends several letters over one connection."""

import re
import smtplib
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from app.feedback import smtp_status
from app.mail.delivery import flask_mail_fixes
from app.mail.delivery.failures import (
    LetterRefused,
    RecipientRefused,
    RelayAway,
    RelayBusy,
    TemporaryFailure,
    Undelivered,
)
from app.mail.message import ComposedLetter
from config import MailServer

LETTERS_A_CONNECTION = 100
IDLE_SECONDS = 30
LONGEST_WAIT = timedelta(hours=1)
"""Upper limit of the delay that a server asks for."""
_ENHANCED = re.compile(r"[245]\.\d{1,3}\.\d{1,3}")
_BUSY = re.compile(r"421|4\d\d 4\.3\.[12]$|452 4\.5\.3$|452$")
"""Service not available, system full, not accepting messages, too many recipients (RFC 5321 4.2.3, RFC 3463 3.4)."""
_WAIT = re.compile(rb"\b(\d{1,4}) ?(second|minute)s?\b", re.IGNORECASE)
"""As in "greylisted, try again in 300 seconds"."""


class SmtpTransport:
    """One connection for many letters; reopened after an error, LETTERS_A_CONNECTION letters or IDLE_SECONDS.

    Not thread-safe.
    """

    def __init__(self, server: MailServer, *, helo: str, context: ssl.SSLContext | None = None) -> None:
        self._mail = flask_mail_fixes.MendedMail(server, helo, context)
        self._connection: flask_mail_fixes.MendedConnection | None = None
        self._letters = 0
        self._used_at = 0.0

    def deliver(self, letter: ComposedLetter) -> str:
        content = flask_mail_fixes.as_bytes(letter)
        with self._translate_errors():
            host = self.connect()
            return self._transact(host, letter, content)

    @contextmanager
    def _translate_errors(self, failure: type[TemporaryFailure] = TemporaryFailure) -> Iterator[None]:
        """Translates errors of network, server and TLS into `failure`, and closes the connection."""
        try:
            yield
        except smtplib.SMTPResponseException as error:
            self.close()
            raise failure(str(error.smtp_code)) from None
        except ssl.SSLError:
            self.close()
            raise failure("tls") from None
        except TimeoutError:
            self.close()
            raise failure("timeout") from None
        except (OSError, smtplib.SMTPException):
            self.close()
            raise failure("connection") from None

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.leave()

    def connect(self) -> smtplib.SMTP:
        is_stale = time.monotonic() - self._used_at > IDLE_SECONDS or self._letters >= LETTERS_A_CONNECTION
        if self._connection is not None and is_stale:
            self.close()
        if self._connection is None:
            opened = flask_mail_fixes.MendedConnection(self._mail)
            with self._translate_errors(RelayAway):
                opened.host = opened.configure_host()
            self._connection, self._letters = opened, 0
        self._used_at = time.monotonic()
        self._letters += 1
        assert self._connection.host is not None
        return self._connection.host

    def _transact(self, host: smtplib.SMTP, letter: ComposedLetter, content: bytes) -> str:
        """Sends MAIL, RCPT and DATA separately: `sendmail` does not tell which of them was refused permanently."""
        code, reply = host.mail(letter.envelope_sender, _options(letter, host))
        if code != 250:
            raise self._refused(host, code, reply, LetterRefused)
        code, reply = host.rcpt(letter.recipient.typed)
        if code not in (250, 251):
            kind = smtp_status.kind("", reply.decode("utf-8", "replace"))
            raise self._refused(host, code, reply, lambda told: RecipientRefused(told, kind))
        try:
            code, reply = host.data(content)
        except smtplib.SMTPDataError as error:
            code, reply = error.smtp_code, _bytes(error.smtp_error)
        if code != 250:
            raise self._refused(host, code, reply, LetterRefused)
        return _codes(code, reply)

    def _refused(
        self, host: smtplib.SMTP, code: int, reply: bytes, for_good: Callable[[str], Undelivered]
    ) -> Undelivered:
        try:
            if code == 421:
                self.close()
            else:
                host.rset()
        except smtplib.SMTPServerDisconnected:
            # Some servers disconnect after a refusal; the reply before still counts.
            self.close()
        codes = _codes(code, reply)
        if 500 <= code < 600:
            return for_good(codes)
        return (RelayBusy if _BUSY.match(codes) else TemporaryFailure)(codes, _wait(reply))


def _options(letter: ComposedLetter, host: smtplib.SMTP) -> list[str]:
    if not letter.recipient.needs_smtputf8:
        return []
    if not host.has_extn("smtputf8"):
        raise LetterRefused("smtputf8")
    host.command_encoding = "utf-8"
    return ["SMTPUTF8", "BODY=8BITMIME"]


def _bytes(text: bytes | str) -> bytes:
    return text if isinstance(text, bytes) else text.encode()


def _wait(reply: bytes) -> timedelta:
    named = _WAIT.search(reply)
    if named is None:
        return timedelta()
    unit = timedelta(minutes=1) if named[2].lower() == b"minute" else timedelta(seconds=1)
    return min(int(named[1]) * unit, LONGEST_WAIT)


def _codes(code: int, reply: bytes) -> str:
    enhanced = _ENHANCED.match(reply.decode("ascii", "replace"))
    return f"{code} {enhanced[0]}" if enhanced else str(code)
