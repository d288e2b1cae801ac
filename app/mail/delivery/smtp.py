"""SMTP transport: sends several letters over one connection."""

import select
import smtplib
import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from app.mail.delivery import flask_mail_fixes, refusals
from app.mail.delivery.failures import (
    AnswerMissing,
    LetterRefused,
    RecipientRefused,
    RelayAway,
    SenderRefused,
    TemporaryFailure,
    Undelivered,
)
from app.mail.delivery.replies import Stage
from app.mail.message import ComposedLetter
from config import Envelope, MailServer

LETTERS_A_CONNECTION = 100
IDLE_SECONDS = 30
CONTENT_SECONDS = 600
"""For the reply to the final dot (RFC 5321 section 4.5.3.2.6). To give up earlier means to send the letter again."""
SLICE_SECONDS = 5.0

Waiting = Callable[[Stage], None]
"""Called at least every SLICE_SECONDS while a reply is awaited. It raises nothing."""


class SmtpTransport:
    """One connection for many letters; reopened after an error, LETTERS_A_CONNECTION letters or IDLE_SECONDS.

    `envelope` becomes plain once the server has refused a signed sender and accepted the plain one. Not thread-safe.
    """

    def __init__(self, server: MailServer, *, helo: str) -> None:
        self._mail = flask_mail_fixes.MendedMail(server, helo)
        self._connection: flask_mail_fixes.MendedConnection | None = None
        self._letters = 0
        self._used_at = 0.0
        self._has_refused_dsn = False
        self.envelope = server.envelope

    def open(self) -> None:
        """Connect, unless a connection is open and fresh. Raises RelayAway or RelayRefused."""
        is_stale = time.monotonic() - self._used_at > IDLE_SECONDS or self._letters >= LETTERS_A_CONNECTION
        if self._connection is not None and is_stale:
            self.close()
        if self._connection is None:
            opened = flask_mail_fixes.MendedConnection(self._mail)
            with self._translate_errors(RelayAway):
                opened.host = opened.configure_host()
            self._connection, self._letters = opened, 0
        self._used_at = time.monotonic()

    def deliver(self, letter: ComposedLetter, waiting: Waiting) -> str:
        content = flask_mail_fixes.as_bytes(letter)
        self.open()
        self._letters += 1
        with self._translate_errors(TemporaryFailure):
            try:
                return self._transact(self._exchange(waiting), letter, content)
            except SenderRefused:
                if self.envelope is Envelope.PLAIN or letter.envelope_sender == letter.plain_sender:
                    raise
            return self._fall_back(letter, content, waiting)

    def _fall_back(self, letter: ComposedLetter, content: bytes, waiting: Waiting) -> str:
        """Send the letter from the plain sender, and all later ones if the server accepts it."""
        self.open()
        self.envelope = Envelope.PLAIN
        try:
            return self._transact(self._exchange(waiting), letter, content)
        except (RecipientRefused, AnswerMissing):
            raise
        except Exception:
            self.envelope = Envelope.SIGNED
            raise

    def check(self, sender: str) -> Sequence[str]:
        """Start a letter from `sender` and abandon it. Returns the extensions that the server offers.

        Raises RelayAway, RelayRefused or TemporaryFailure.
        """
        self.open()
        with self._translate_errors(TemporaryFailure):
            code, reply = self._exchange(lambda _stage: None).ask(Stage.MAIL, f"MAIL FROM:{smtplib.quoteaddr(sender)}")
            if code != 250:
                raise refusals.of(Stage.MAIL, code, reply)
            self._host.rset()
            return sorted(self._host.esmtp_features)

    def _exchange(self, waiting: Waiting) -> "_Exchange":
        return _Exchange(self._host, self._mail.server.timeout, waiting)

    @property
    def _asks_dsn(self) -> bool:
        return self._host.has_extn("dsn") and not self._has_refused_dsn

    @property
    def _host(self) -> smtplib.SMTP:
        assert self._connection is not None
        assert self._connection.host is not None
        return self._connection.host

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
            raise failure("timeout" if _is_timeout(error) else "connection") from None

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.leave()

    def _transact(self, exchange: "_Exchange", letter: ComposedLetter, content: bytes) -> str:
        """Sends MAIL, RCPT and DATA separately: `sendmail` does not tell which of them was refused."""
        is_signed = self.envelope is Envelope.SIGNED
        sender = letter.envelope_sender if is_signed else letter.plain_sender
        mail = [f"MAIL FROM:{smtplib.quoteaddr(sender)}", *_beyond_ascii(letter, exchange.host)]
        rcpt = [f"RCPT TO:{smtplib.quoteaddr(letter.recipient.typed)}"]
        if self._asks_dsn:
            # A bounce then names the letter, also if its envelope sender does not (RFC 3461 section 4.4).
            mail.append(f"RET=HDRS ENVID={letter.message_id.strip('<>').partition('@')[0]}")
            rcpt.append("NOTIFY=FAILURE")
        self._expect(exchange, Stage.MAIL, " ".join(mail), (250,))
        # 251 and 252: the server takes responsibility, though it forwards or cannot verify (RFC 5321 section 4.2.3).
        self._expect(exchange, Stage.RCPT, " ".join(rcpt), (250, 251, 252))
        # Any other reply, 250 among them, means that the server has not asked for the content.
        self._expect(exchange, Stage.DATA, "DATA", (354,))
        exchange.send_content(content)
        code, reply = exchange.answer_to_content()
        if not 200 <= code < 300:
            raise self._refused(Stage.CONTENT, code, reply)
        return refusals.codes(code, reply)

    def _expect(self, exchange: "_Exchange", stage: Stage, command: str, accepted: tuple[int, ...]) -> None:
        code, reply = exchange.ask(stage, command)
        if code not in accepted:
            raise self._refused(stage, code, reply)

    def _refused(self, stage: Stage, code: int, reply: bytes) -> Undelivered:
        asked_dsn = self._asks_dsn and stage in (Stage.MAIL, Stage.RCPT)
        try:
            # Behind DATA the server may be waiting for content: only a new connection is in a known state.
            if code == 421 or not 400 <= code < 600:
                self.close()
            else:
                self._host.rset()
        except (OSError, smtplib.SMTPException):
            # Some servers disconnect after a refusal; the reply before still counts.
            self.close()
        if asked_dsn and (code in (504, 555) or b"5.5.4" in reply):
            # It offers DSN and does not know its parameters: the letter goes without them.
            self._has_refused_dsn = True
            return TemporaryFailure(refusals.codes(code, reply))
        return refusals.of(stage, code, reply)


class _Exchange:
    """Commands and replies on one connection. While a reply is awaited, `waiting` is called."""

    def __init__(self, host: smtplib.SMTP, seconds: float, waiting: Waiting) -> None:
        self.host, self._seconds, self._waiting = host, seconds, waiting

    def ask(self, stage: Stage, command: str) -> tuple[int, bytes]:
        self.host.putcmd(command)
        return self._reply(stage, self._seconds)

    def send_content(self, content: bytes) -> None:
        """With leading dots doubled (RFC 5321 section 4.5.2), and the final dot."""
        # smtplib quotes text; Latin-1 is the bytes as they are.
        quoted = smtplib.quotedata(content.decode("latin-1")).encode("latin-1")
        self.host.send(quoted + (b".\r\n" if quoted.endswith(b"\r\n") else b"\r\n.\r\n"))

    def answer_to_content(self) -> tuple[int, bytes]:
        """Raises AnswerMissing if none comes: only the server knows what became of the letter."""
        assert self.host.sock is not None
        try:
            self.host.sock.settimeout(CONTENT_SECONDS)
            code, reply = self._reply(Stage.CONTENT, CONTENT_SECONDS)
            self.host.sock.settimeout(self._seconds)
        except (OSError, smtplib.SMTPException) as error:
            raise AnswerMissing("timeout" if _is_timeout(error) else "connection") from None
        if code < 200 or 300 <= code < 400:
            raise AnswerMissing("connection")
        return code, reply

    def _reply(self, stage: Stage, seconds: float) -> tuple[int, bytes]:
        """Raises TimeoutError: smtplib would turn that into a lost connection."""
        until = time.monotonic() + seconds
        while not _is_readable(self.host, min(SLICE_SECONDS, seconds)):
            self._waiting(stage)
            if time.monotonic() >= until:
                raise TimeoutError
        return self.host.getreply()


def _is_readable(host: smtplib.SMTP, seconds: float) -> bool:
    connection = host.sock
    if connection is None:
        raise smtplib.SMTPServerDisconnected
    if isinstance(connection, ssl.SSLSocket) and connection.pending():
        return True
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    return bool(poll.poll(seconds * 1000))


def _is_timeout(error: BaseException) -> bool:
    return isinstance(error, TimeoutError) or isinstance(error.__context__, TimeoutError)


def _beyond_ascii(letter: ComposedLetter, host: smtplib.SMTP) -> Iterator[str]:
    """Parameters of MAIL for an address that takes SMTPUTF8. Raises LetterRefused if the server does not offer it."""
    if letter.recipient.needs_smtputf8:
        if not host.has_extn("smtputf8"):
            raise LetterRefused("smtputf8")
        host.command_encoding = "utf-8"
        yield "SMTPUTF8 BODY=8BITMIME"
