"""SMTP transport: sends several letters over one connection."""

import smtplib
import ssl
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from app.feedback.replies import Stage
from app.mail.delivery import flask_mail_fixes, refusals
from app.mail.delivery.exchange import Exchange, Waiting, is_timeout
from app.mail.delivery.failures import (
    AnswerMissing,
    LetterRefused,
    NoFurtherConnection,
    RelayAway,
    SenderRefused,
    TemporaryFailure,
    Undelivered,
)
from app.mail.message import ComposedLetter
from config import Envelope

LETTERS_A_CONNECTION = 100
IDLE_SECONDS = 30
ACCEPTED = {Stage.MAIL: (250,), Stage.RCPT: (250, 251, 252), Stage.DATA: (354,)}
"""251 and 252: the server takes responsibility, though it forwards or cannot verify (RFC 5321 section 4.2.3).

To DATA any other reply, 250 among them, means that the server has not asked for the content.
"""


@dataclass(slots=True)
class RelayProfile:
    """What a worker's connections have learned about their server."""

    envelope: Envelope
    """Plain once the server has refused a signed sender and accepted the plain one."""
    has_refused_dsn: bool = False
    has_broken_pipelining: bool = False
    open_connections: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, connections: int) -> None:
        """Opened, or closed if negative."""
        with self._lock:
            self.open_connections += connections


class SmtpTransport:
    """One connection for many letters; reopened after an error, LETTERS_A_CONNECTION letters or IDLE_SECONDS.

    Not thread-safe; connections to one server share `profile`.
    """

    def __init__(self, mail: flask_mail_fixes.MendedMail, profile: RelayProfile) -> None:
        self._mail, self._profile = mail, profile
        self._connection: flask_mail_fixes.MendedConnection | None = None
        self._letters = 0
        self._used_at = 0.0

    def open(self) -> None:
        """Connect, unless a connection is open and fresh. Raises RelayAway, NoFurtherConnection or RelayRefused."""
        is_stale = time.monotonic() - self._used_at > IDLE_SECONDS or self._letters >= LETTERS_A_CONNECTION
        if self._connection is not None and is_stale:
            self.close()
        if self._connection is None:
            opened = flask_mail_fixes.MendedConnection(self._mail)
            try:
                with self._translate_errors(RelayAway):
                    opened.host = opened.configure_host()
            except RelayAway as failure:
                if self._profile.open_connections:
                    raise NoFurtherConnection(failure.code) from None
                raise
            self._connection, self._letters = opened, 0
            self._profile.count(1)
            self._exchange = Exchange(opened.host, self._mail.server.timeout)
        self._used_at = time.monotonic()

    def deliver(self, letter: ComposedLetter, waiting: Waiting) -> str:
        content = flask_mail_fixes.as_bytes(letter)
        self.open()
        self._letters += 1
        with self._translate_errors(TemporaryFailure):
            try:
                return self._transact(self._profile.envelope, letter, content, waiting)
            except SenderRefused:
                if self._profile.envelope is Envelope.PLAIN or letter.envelope_sender == letter.plain_sender:
                    raise
            self.open()
            reply = self._transact(Envelope.PLAIN, letter, content, waiting)
        self._profile.envelope = Envelope.PLAIN
        return reply

    def check(self, sender: str) -> Sequence[str]:
        """Start a letter from `sender` and abandon it. Returns the extensions that the server offers.

        Raises RelayAway, RelayRefused or TemporaryFailure.
        """
        self.open()
        with self._translate_errors(TemporaryFailure):
            self._exchange.send([f"MAIL FROM:<{sender}>"])
            code, reply = self._exchange.reply(Stage.MAIL, lambda _stage: None)
            if code != 250:
                raise refusals.of(Stage.MAIL, code, reply)
            self._exchange.host.rset()
            return sorted(self._exchange.host.esmtp_features)

    @contextmanager
    def _translate_errors(self, failure: type[TemporaryFailure]) -> Iterator[None]:
        """Translates errors of network, server and TLS into `failure`, and closes the connection."""
        try:
            yield
        except AnswerMissing:
            self.close()
            raise
        except smtplib.SMTPResponseException as error:
            self.close()
            raise failure(str(error.smtp_code)) from None
        except ssl.SSLError:
            self.close()
            raise failure("tls") from None
        # ValueError: a name that is no host name, a challenge that is no base64.
        except (OSError, ValueError, smtplib.SMTPException) as error:
            self.close()
            raise failure("timeout" if is_timeout(error) else "connection") from None

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            self._profile.count(-1)
            connection.leave()

    def _transact(self, envelope: Envelope, letter: ComposedLetter, content: bytes, waiting: Waiting) -> str:
        """Sends MAIL, RCPT and DATA separately: `sendmail` does not tell which of them was refused."""
        sender = letter.envelope_sender if envelope is Envelope.SIGNED else letter.plain_sender
        mail = [f"MAIL FROM:<{sender}>", *_beyond_ascii(letter, self._exchange.host)]
        rcpt = [f"RCPT TO:<{letter.recipient.typed}>"]
        if self._asks_dsn:
            # A bounce then names the letter, also if its envelope sender does not (RFC 3461 section 4.4).
            mail.append(f"RET=HDRS ENVID={letter.message_id.strip('<>').partition('@')[0]}")
            rcpt.append("NOTIFY=FAILURE")
        self._begin({Stage.MAIL: " ".join(mail), Stage.RCPT: " ".join(rcpt), Stage.DATA: "DATA"}, waiting)
        self._exchange.send_content(content)
        code, reply = self._exchange.answer_to_content(waiting)
        if not 200 <= code < 300:
            raise self._refused(Stage.CONTENT, code, reply)
        return refusals.codes(code, reply)

    def _begin(self, commands: dict[Stage, str], waiting: Waiting) -> None:
        """Up to the server's request for the content; all commands at once if it offers that."""
        is_pipelined = self._has("pipelining") and not self._profile.has_broken_pipelining
        if is_pipelined:
            self._exchange.send([*commands.values()])
        refused: tuple[Stage, int, bytes] | None = None
        for stage, command in commands.items():
            if not is_pipelined:
                self._exchange.send([command])
            try:
                code, reply = self._exchange.reply(stage, waiting)
            except (OSError, smtplib.SMTPException) as error:
                if refused:
                    # Some servers hang up after a refusal; the reply before still counts.
                    break
                self._profile.has_broken_pipelining |= is_pipelined and stage is not Stage.MAIL and is_timeout(error)
                raise
            if code not in ACCEPTED[stage]:
                refused = refused or (stage, code, reply)
            elif refused and stage is Stage.DATA:
                # It waits for content though it refused sender or recipient. Without a final dot nothing is delivered.
                self.close()
            if refused and not is_pipelined:
                break
        if refused:
            raise self._refused(*refused)

    def _has(self, extension: str) -> bool:
        return self._exchange.host.has_extn(extension)

    @property
    def _asks_dsn(self) -> bool:
        return self._has("dsn") and not self._profile.has_refused_dsn

    def _refused(self, stage: Stage, code: int, reply: bytes) -> Undelivered:
        asked_dsn = self._asks_dsn and stage in (Stage.MAIL, Stage.RCPT)
        self._reset(code)
        if asked_dsn and (code in (504, 555) or b"5.5.4" in reply):
            # It offers DSN and does not know its parameters: the letter goes without them.
            self._profile.has_refused_dsn = True
            return TemporaryFailure(refusals.codes(code, reply))
        return refusals.of(stage, code, reply)

    def _reset(self, code: int) -> None:
        """After a refusal: ready for the next letter, or closed."""
        if self._connection is None:
            return
        try:
            # Behind DATA the server may be waiting for content: only a new connection is in a known state.
            if code == 421 or not 400 <= code < 600:
                self.close()
            else:
                self._exchange.host.rset()
        except (OSError, smtplib.SMTPException):
            self.close()


def _beyond_ascii(letter: ComposedLetter, host: smtplib.SMTP) -> Iterator[str]:
    """Parameters of MAIL for an address that takes SMTPUTF8. Raises LetterRefused if the server does not offer it."""
    if letter.recipient.needs_smtputf8:
        if not host.has_extn("smtputf8"):
            raise LetterRefused("smtputf8")
        host.command_encoding = "utf-8"
        yield "SMTPUTF8 BODY=8BITMIME"
