"""Handing letters to a mail server, or to the built-in mailbox. The only importer of Flask-Mail and smtplib.

Flask-Mail 0.10 has six defects that would break this product; each is mended here and held by a test on wire bytes:
headers refolded until `List-Unsubscribe` is dead, certificates not verified, no time-out, header injection through
extra headers, a DNS look-up for each message, and `quit()` on a dead connection hiding the error.
"""

import re
import smtplib
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email import policy
from email.mime.base import MIMEBase
from email.utils import format_datetime, parseaddr
from pathlib import Path
from typing import Protocol, cast
from urllib.parse import urlsplit

from flask import Flask
from flask_mail import Connection, Mail, Message

from app import clock
from app.errors import JawelError
from app.mail import mailbox
from app.mail.message import ComposedLetter
from config import MailServer, Settings

LETTERS_A_CONNECTION = 100
IDLE_SECONDS = 30
_ENHANCED = re.compile(r"[245]\.\d{1,3}\.\d{1,3}")


class Undelivered(JawelError):
    """`code` is what is kept of the server's answer; its text may quote the address, and is not."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class TemporaryFailure(Undelivered):
    """Worth another try: 4xx, or anything the letter is not to blame for."""


class RecipientRefused(Undelivered):
    """5xx to RCPT: there is no such mailbox."""


class LetterRefused(Undelivered):
    """5xx to this letter's sender or content; trying again would not help."""


class Carrier(Protocol):
    def deliver(self, letter: ComposedLetter) -> str:
        """Return the reply's codes, such as `250 2.0.0`. Raise one of the three failures above, and nothing else."""

    def close(self) -> None: ...


def carrier(settings: Settings) -> Carrier:
    if settings.mail_server is None:
        return MailboxCarrier(settings.mailbox)
    return SmtpCarrier(settings.mail_server, helo=urlsplit(settings.public_url).hostname or "localhost")


class MailboxCarrier:
    """The built-in mailbox of a development machine."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._app = Flask("jawel.mail")
        Mail(self._app)

    def deliver(self, letter: ComposedLetter) -> str:
        with self._app.app_context():
            mailbox.keep(self._folder, letter.message_id, _message(letter))
        return "250 2.0.0"

    def close(self) -> None:
        pass


class SmtpCarrier:
    """One connection for many letters; opened anew after an error, after some letters, or after a pause.

    Not for use by several threads.
    """

    def __init__(self, server: MailServer, *, helo: str, context: ssl.SSLContext | None = None) -> None:
        self._mail = _mail(server, helo, context or ssl.create_default_context())
        self._connection: _Connection | None = None
        self._letters = 0
        self._used_at = 0.0

    def deliver(self, letter: ComposedLetter) -> str:
        with self._mail.app.app_context():
            content = _message(letter)
        with self._failures_told():
            host = self.connect()
            return self._transact(host, letter, content)

    @contextmanager
    def _failures_told(self) -> Iterator[None]:
        """Whatever network, server or TLS do to us is told in our own words, and the connection is given up."""
        try:
            yield
        except smtplib.SMTPResponseException as error:
            self.close()
            raise TemporaryFailure(str(error.smtp_code)) from None
        except ssl.SSLError:
            self.close()
            raise TemporaryFailure("tls") from None
        except TimeoutError:
            self.close()
            raise TemporaryFailure("timeout") from None
        except (OSError, smtplib.SMTPException):
            self.close()
            raise TemporaryFailure("connection") from None

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.leave()

    def connect(self) -> smtplib.SMTP:
        is_stale = time.monotonic() - self._used_at > IDLE_SECONDS or self._letters >= LETTERS_A_CONNECTION
        if self._connection is not None and is_stale:
            self.close()
        if self._connection is None:
            opened = _Connection(self._mail)
            with self._failures_told():
                opened.host = opened.configure_host()
            self._connection, self._letters = opened, 0
        self._used_at = time.monotonic()
        self._letters += 1
        assert self._connection.host is not None
        return self._connection.host

    def _transact(self, host: smtplib.SMTP, letter: ComposedLetter, content: bytes) -> str:
        """MAIL, RCPT and DATA one by one: `sendmail` does not tell which of them was refused for good."""
        code, reply = host.mail(parseaddr(letter.sender)[1], _options(letter, host))
        if code != 250:
            raise self._refused(host, code, reply, LetterRefused)
        code, reply = host.rcpt(letter.recipient.typed)
        if code not in (250, 251):
            raise self._refused(host, code, reply, RecipientRefused)
        try:
            code, reply = host.data(content)
        except smtplib.SMTPDataError as error:
            code, reply = error.smtp_code, _bytes(error.smtp_error)
        if code != 250:
            raise self._refused(host, code, reply, LetterRefused)
        return _codes(code, reply)

    def _refused(
        self, host: smtplib.SMTP, code: int, reply: bytes, for_good: type[LetterRefused | RecipientRefused]
    ) -> Undelivered:
        if code == 421:
            self.close()
        else:
            host.rset()
        return for_good(_codes(code, reply)) if 500 <= code < 600 else TemporaryFailure(_codes(code, reply))


class _Mail(Mail):
    """Flask-Mail with what it does not know: a time-out, the name to greet with, and whom to trust."""

    app: Flask
    timeout: float
    helo: str
    tls: ssl.SSLContext


class _Connection(Connection):
    mail: _Mail

    def configure_host(self) -> smtplib.SMTP:
        server = self.mail.state
        if server.use_ssl:
            host: smtplib.SMTP = smtplib.SMTP_SSL(
                server.server, server.port, self.mail.helo, timeout=self.mail.timeout, context=self.mail.tls
            )
        else:
            host = smtplib.SMTP(server.server, server.port, self.mail.helo, timeout=self.mail.timeout)
        if server.use_tls:
            try:
                host.starttls(context=self.mail.tls)
            except smtplib.SMTPNotSupportedError:
                host.close()
                raise TemporaryFailure("tls") from None
        if server.username and server.password:
            try:
                host.login(server.username, server.password)
            except smtplib.SMTPException:
                host.close()
                raise TemporaryFailure("auth") from None
        host.ehlo_or_helo_if_needed()
        return host

    def leave(self) -> None:
        """A dead connection answers QUIT with an error, which would hide the one that matters."""
        try:
            if self.host is not None:
                self.host.quit()
        except (OSError, smtplib.SMTPException):
            if self.host is not None:
                self.host.close()


class _Message(Message):
    def __init__(self, letter: ComposedLetter) -> None:
        """Sets what Flask-Mail's constructor sets, but for its Message-ID: making one asks DNS for the host's name."""
        self.recipients = [letter.recipient.typed]
        self.subject, self.sender, self.reply_to = letter.subject, letter.sender, letter.reply_to
        self.cc, self.bcc, self.attachments, self.mail_options, self.rcpt_options = [], [], [], [], []
        self.body, self.alts = letter.text, {"html": letter.html}
        self.date, self.charset, self.msgId = None, None, letter.message_id
        self.extra_headers = dict(letter.headers)

    def has_bad_headers(self) -> bool:
        stated = [self.sender, self.subject, self.reply_to or "", self.msgId, *self.recipients]
        stated += [text for pair in (self.extra_headers or {}).items() for text in pair]
        return any(character in str(text) for text in stated for character in "\r\n\0")

    def _message(self) -> MIMEBase:
        mixed = super()._message()
        # There is nothing to mix: the alternatives themselves are the letter.
        message = cast(MIMEBase, mixed.get_payload(0))
        for name, value in mixed.raw_items():
            if name not in message:
                message[name] = value
        # With refolding, `List-Unsubscribe` beyond 78 columns becomes an encoded word, and one-click is dead.
        message.policy = policy.SMTP.clone(refold_source="none")
        del message["Date"]
        message["Date"] = format_datetime(clock.now())
        return message


def _message(letter: ComposedLetter) -> bytes:
    message = _Message(letter)
    if message.has_bad_headers():
        raise LetterRefused("header")
    if letter.recipient.needs_smtputf8:
        return message._message().as_bytes(policy=policy.SMTPUTF8.clone(refold_source="none"))
    return message.as_bytes()


def _options(letter: ComposedLetter, host: smtplib.SMTP) -> list[str]:
    if not letter.recipient.needs_smtputf8:
        return []
    if not host.has_extn("smtputf8"):
        raise LetterRefused("smtputf8")
    host.command_encoding = "utf-8"
    return ["SMTPUTF8", "BODY=8BITMIME"]


def _bytes(text: bytes | str) -> bytes:
    return text if isinstance(text, bytes) else text.encode()


def _codes(code: int, reply: bytes) -> str:
    enhanced = _ENHANCED.match(reply.decode("ascii", "replace"))
    return f"{code} {enhanced[0]}" if enhanced else str(code)


def _mail(server: MailServer, helo: str, tls: ssl.SSLContext) -> _Mail:
    """A Flask application of its own: the worker's is configured by our settings, not by Flask-Mail's."""
    app = Flask("jawel.mail")
    app.config.update(
        MAIL_SERVER=server.host,
        MAIL_PORT=server.port,
        MAIL_USE_TLS=server.starttls,
        MAIL_USE_SSL=server.tls,
        MAIL_USERNAME=server.username,
        MAIL_PASSWORD=server.password,
        MAIL_DEBUG=False,
    )
    mail = _Mail(app)
    mail.timeout, mail.helo, mail.tls = server.timeout, helo, tls
    return mail


def check(settings: Settings) -> str:
    """Open a connection and close it. Raises TemporaryFailure; for `jawel doctor`."""
    if settings.mail_server is None:
        return "built-in mailbox; nothing leaves this machine"
    carrier = SmtpCarrier(settings.mail_server, helo="localhost")
    carrier.connect()
    carrier.close()
    return f"{settings.mail_server.host}:{settings.mail_server.port} answers"
