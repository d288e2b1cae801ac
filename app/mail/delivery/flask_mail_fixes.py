"""Fixes for Flask-Mail. The only module that imports it.

Flask-Mail 0.10 has defects that would break this product; each is fixed here and covered by a test on wire bytes:
headers refolded so that `List-Unsubscribe` breaks, certificates not verified, no time-out, header injection through
extra headers, a DNS look-up for each message, and `quit()` on a dead connection hiding the error. It also sends 8-bit
bodies and lines of any length to servers that do not offer to accept them, and cannot send to a non-ASCII local part.
"""

import base64
import secrets
import smtplib
import ssl
import unicodedata
from collections.abc import Iterator
from email.charset import QP, Charset
from email.header import Header
from email.mime.base import MIMEBase
from email.mime.nonmultipart import MIMENonMultipart
from email.mime.text import MIMEText
from email.policy import Compat32
from email.utils import format_datetime, parseaddr
from functools import cache, cached_property, lru_cache
from typing import cast

from flask import Flask
from flask_mail import Connection, Mail, Message

from app import clock
from app.mail.delivery.failures import LetterRefused, RelayAway, RelayRefused
from app.mail.message import ComposedLetter
from config import MailServer

_LINE_ENDS = ("Cc", "Zl", "Zp")
"""Unicode categories of the characters that `str.splitlines`, and so the email package, treats as line ends."""
_QUOTED = Charset("utf-8")
_QUOTED.body_encoding = QP
_ROOM = 900
"""Room for a value, beside the name, on one header line of 998 octets (RFC 5322 section 2.1.1)."""


class MendedMail(Mail):
    """Flask-Mail with a time-out, a HELO name and a TLS trust store."""

    def __init__(self, server: MailServer, helo: str) -> None:
        super().__init__()
        self.server, self.helo = server, helo

    @cached_property
    def tls(self) -> ssl.SSLContext:
        """Reading the system's trust store takes longer than sending a letter, so it is read only if TLS is used."""
        return ssl.create_default_context(cadata=self.server.authorities)


class MendedConnection(Connection):
    mail: MendedMail

    def configure_host(self) -> smtplib.SMTP:
        """Raises RelayAway or RelayRefused, and any error of smtplib or the network."""
        host = self._greet()
        server = self.mail.server
        if server.starttls:
            try:
                host.starttls(context=self.mail.tls)
            except smtplib.SMTPNotSupportedError:
                host.close()
                raise RelayAway("tls") from None
        if server.username and server.password:
            try:
                _log_in(host, server.username, server.password)
            except smtplib.SMTPAuthenticationError:
                host.close()
                raise RelayRefused("auth") from None
            except smtplib.SMTPException:
                host.close()
                raise RelayAway("auth") from None
        host.ehlo_or_helo_if_needed()
        return host

    def _greet(self) -> smtplib.SMTP:
        server, helo = self.mail.server, self.mail.helo
        if server.tls:
            return smtplib.SMTP_SSL(server.host, server.port, helo, timeout=server.timeout, context=self.mail.tls)
        return smtplib.SMTP(server.host, server.port, helo, timeout=server.timeout)

    def leave(self) -> None:
        """Ignores errors: a dead connection answers QUIT with one that would hide the original error."""
        try:
            if self.host is not None:
                self.host.quit()
        except (OSError, smtplib.SMTPException):
            if self.host is not None:
                self.host.close()


def _log_in(host: smtplib.SMTP, username: str, password: str) -> None:
    """smtplib encodes names and passwords as ASCII; RFC 4616 says UTF-8. Raises SMTPException.

    Without ASCII there are PLAIN and LOGIN, which send the bytes as they are.
    """
    if username.isascii() and password.isascii():
        host.login(username, password)
        return
    host.ehlo_or_helo_if_needed()
    name, secret = username.encode(), password.encode()
    offered = host.esmtp_features.get("auth", "").upper().split()
    if "PLAIN" in offered:
        code, reply = host.docmd("AUTH", "PLAIN " + _base64(b"\0" + name + b"\0" + secret))
    elif "LOGIN" in offered:
        code, reply = host.docmd("AUTH", f"LOGIN {_base64(name)}")
        if code == 334:
            code, reply = host.docmd(_base64(secret))
    else:
        raise smtplib.SMTPNotSupportedError("neither PLAIN nor LOGIN")
    if code not in (235, 503):
        raise smtplib.SMTPAuthenticationError(code, reply)


def _base64(text: bytes) -> str:
    return base64.b64encode(text).decode()


class _AsWritten(Compat32):
    """Headers go out as they were written, and are not parsed again: they are complete and folded already.

    Refolding makes an encoded word of a `List-Unsubscribe` beyond 78 columns, which breaks one-click.
    """

    def fold(self, name: str, value: str) -> str:
        return f"{name}: {value}\n".replace("\n", "\r\n")

    def fold_binary(self, name: str, value: str) -> bytes:
        # Only the address of a letter that needs SMTPUTF8 is not ASCII.
        return self.fold(name, value).encode()


_AS_WRITTEN = _AsWritten(linesep="\r\n")


class MendedMessage(Message):
    def __init__(self, letter: ComposedLetter) -> None:
        """Sets the attributes of Flask-Mail's constructor, except its Message-ID, which needs a DNS look-up.

        Those of the headers that are written here are empty: Flask-Mail would parse and encode them for nothing.
        """
        self.letter = letter
        self.recipients, self.subject, self.sender, self.reply_to = [], "", ("", ""), None
        self.cc, self.bcc, self.attachments, self.mail_options, self.rcpt_options = [], [], [], [], []
        self.body, self.alts = letter.text, {"html": letter.html}
        self.date, self.charset, self.msgId = None, None, letter.message_id
        self.extra_headers = dict(letter.headers)

    def has_bad_headers(self) -> bool:
        letter = self.letter
        stated = [letter.sender, letter.subject, letter.reply_to or "", letter.message_id, letter.recipient.typed]
        stated += [text for pair in letter.headers.items() for text in pair]
        return any(not text.isprintable() and _has_line_end(text) for text in stated)

    def _mimetext(self, text: str | None, subtype: str = "plain") -> MIMEText:
        """As it is, so that links stay in one piece; quoted-printable if it is not ASCII, or a line is too long.

        Neither needs an extension of the servers on the way.
        """
        part = MIMENonMultipart("text", subtype, charset="utf-8")
        lines = (text or "").splitlines()
        if (text or "").isascii() and all(len(line) <= _ROOM for line in lines):
            part.set_payload(text or "")
            part["Content-Transfer-Encoding"] = "7bit"
        else:
            part.set_payload(text or "", _QUOTED)
        return cast(MIMEText, part)

    def _message(self) -> MIMEBase:
        mixed = super()._message()
        # There are no attachments: the `multipart/alternative` part is the whole letter.
        message = cast(MIMEBase, mixed.get_payload(0))
        for name, value in mixed.raw_items():
            if name not in message:
                message[name] = value
        for name, value in self._written_here():
            del message[name]
            message[name] = value
        message.policy = _AS_WRITTEN
        return message

    def _written_here(self) -> Iterator[tuple[str, str]]:
        """The headers that Flask-Mail would get wrong, or leave to be found out by searching the letter."""
        # `=_` is in no quoted-printable text (RFC 2045 section 6.7), and nobody can guess the rest.
        yield "Content-Type", f'multipart/alternative; boundary="=_{secrets.token_hex(16)}"'
        letter = self.letter
        yield "Date", format_datetime(clock.now())
        yield "To", letter.recipient.typed
        yield "From", _mailbox("From", letter.sender)
        if letter.reply_to:
            yield "Reply-To", _mailbox("Reply-To", letter.reply_to)
        is_plain = letter.subject.isascii() and len(letter.subject) <= _ROOM and "=?" not in letter.subject
        yield "Subject", letter.subject if is_plain else _encoded("Subject", letter.subject)


def _has_line_end(text: str) -> bool:
    return any(unicodedata.category(character) in _LINE_ENDS for character in text)


@lru_cache
def _mailbox(header: str, mailbox: str) -> str:
    """As the catalogue has it, `name <address>`. ASCII is never an encoded word: spam filters count that against us."""
    if mailbox.isascii():
        return mailbox
    name, address = parseaddr(mailbox)
    encoded = _encoded(header, name)
    last = encoded.rpartition("\n")[2]
    # A line with an encoded word has at most 76 characters.
    return f"{encoded}\n <{address}>" if len(f"{header}: {last} <{address}>") > 76 else f"{encoded} <{address}>"


@lru_cache
def _encoded(header: str, text: str) -> str:
    """In encoded words of at most 75 characters (RFC 2047 section 2)."""
    return Header(text, "utf-8", header_name=header, maxlinelen=75).encode()


def as_bytes(letter: ComposedLetter) -> bytes:
    """The letter's wire format. Raises LetterRefused if a header would contain a line break."""
    message = MendedMessage(letter)
    if message.has_bad_headers():
        raise LetterRefused("header")
    with _unconfigured().app_context():
        composed = message._message()
    return composed.as_bytes()


@cache
def _unconfigured() -> Flask:
    """Flask-Mail reads its setting for ASCII attachments from an app, even without attachments."""
    app = Flask("jawel.mail")
    Mail(app)
    return app
