"""Handing letters to a mail server, or to the built-in mailbox of a development machine."""

from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from app.mail import dev_mailbox
from app.mail.delivery import flask_mail_fixes
from app.mail.delivery.smtp import SmtpTransport
from app.mail.message import ComposedLetter
from config import Settings


class Transport(Protocol):
    def deliver(self, letter: ComposedLetter) -> str:
        """Return the reply's codes, such as `250 2.0.0`. Raise one of `failures`, and nothing else."""

    def close(self) -> None: ...


def transport(settings: Settings) -> Transport:
    if settings.mail_server is None:
        return MailboxTransport(settings.mailbox)
    return SmtpTransport(settings.mail_server, helo=urlsplit(settings.public_url).hostname or "localhost")


class MailboxTransport:
    """The built-in mailbox of a development machine."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        dev_mailbox.clear_drafts(folder)

    def deliver(self, letter: ComposedLetter) -> str:
        dev_mailbox.keep(self._folder, letter.message_id, flask_mail_fixes.as_bytes(letter))
        return "250 2.0.0"

    def close(self) -> None:
        pass


def check(settings: Settings) -> str:
    """Open a connection and close it. Raises TemporaryFailure; for `jawel doctor`."""
    if settings.mail_server is None:
        return "built-in mailbox; nothing leaves this machine"
    transport = SmtpTransport(settings.mail_server, helo="localhost")
    transport.connect()
    transport.close()
    return f"{settings.mail_server.host}:{settings.mail_server.port} answers"
