"""Handing letters to a mail server, or to the built-in mailbox of a development machine."""

from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from app.mail import dev_mailbox
from app.mail.delivery import flask_mail_fixes
from app.mail.delivery.smtp import SmtpTransport, Waiting
from app.mail.message import ComposedLetter
from config import Envelope, Settings


class Transport(Protocol):
    envelope: Envelope
    """Which sender the letters are sent from now."""

    def open(self) -> None:
        """Make sure of a connection. Raises RelayAway or RelayRefused."""

    def deliver(self, letter: ComposedLetter, waiting: Waiting) -> str:
        """Return the reply's codes, such as `250 2.0.0`. Raise one of `failures`, and nothing else."""

    def close(self) -> None: ...


def transport(settings: Settings) -> Transport:
    if settings.mail_server is None:
        return MailboxTransport(settings.mailbox)
    return SmtpTransport(settings.mail_server, helo=urlsplit(settings.public_url).hostname or "localhost")


class MailboxTransport:
    """The built-in mailbox of a development machine."""

    envelope = Envelope.SIGNED

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        dev_mailbox.clear_drafts(folder)

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
    transport = SmtpTransport(server, helo=urlsplit(settings.public_url).hostname or "localhost")
    try:
        offered = transport.check(sender or "")
    finally:
        transport.close()
    told = [each for each in ("pipelining", "smtputf8", "dsn", "8bitmime") if each in offered]
    return f"{server.host}:{server.port} answers" + (f", and offers {', '.join(told).upper()}" if told else "")
