"""Handing letters to a mail server, or to the built-in mailbox of a development machine."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from app.mail import dev_mailbox
from app.mail.delivery import flask_mail_fixes
from app.mail.delivery.exchange import Waiting
from app.mail.delivery.smtp import RelayProfile, SmtpTransport
from app.mail.message import ComposedLetter
from config import Envelope, MailServer, Settings


class Transport(Protocol):
    def open(self) -> None:
        """Make sure of a connection. Raises RelayAway or RelayRefused."""

    def deliver(self, letter: ComposedLetter, waiting: Waiting) -> str:
        """Return the reply's codes, such as `250 2.0.0`. Raise one of `failures`, and nothing else."""

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Relay:
    """Where letters go: a function that makes one connection, how many there may be, and what they learn."""

    connect: Callable[[], Transport]
    connections: int
    profile: RelayProfile


def relay(settings: Settings) -> Relay:
    server = settings.mail_server
    if server is None:
        dev_mailbox.clear_drafts(settings.mailbox)
        return Relay(lambda: MailboxTransport(settings.mailbox), 1, RelayProfile(Envelope.SIGNED))
    mail, profile = _mail(settings, server), RelayProfile(server.envelope)
    return Relay(lambda: SmtpTransport(mail, profile), server.connections, profile)


def _mail(settings: Settings, server: MailServer) -> flask_mail_fixes.MendedMail:
    return flask_mail_fixes.MendedMail(server, urlsplit(settings.public_url).hostname or "localhost")


class MailboxTransport:
    """The built-in mailbox of a development machine."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def open(self) -> None:
        pass

    def deliver(self, letter: ComposedLetter, waiting: Waiting) -> str:
        dev_mailbox.keep(self._folder, letter.message_id, flask_mail_fixes.as_bytes(letter))
        return "250 2.0.0"

    def close(self) -> None:
        pass


def check(settings: Settings, sender: str | None) -> str:
    """Connect, log in, and begin a letter from `sender` that is abandoned; for `jawel doctor`.

    Raises TemporaryFailure, of which RelayRefused means that the server wants no letters of ours.
    """
    server = settings.mail_server
    if server is None:
        return "built-in mailbox; nothing leaves this machine"
    transport = SmtpTransport(_mail(settings, server), RelayProfile(server.envelope))
    try:
        offered = transport.check(sender or "")
    finally:
        transport.close()
    told = [each for each in ("pipelining", "smtputf8", "dsn", "8bitmime") if each in offered]
    return f"{server.host}:{server.port} answers" + (f", and offers {', '.join(told).upper()}" if told else "")
