"""Handing letters to a mail server, or to the built-in mailbox. The only importer of Flask-Mail and smtplib.

Flask-Mail 0.10 has six defects that would break this product; each is mended here and held by a test on wire bytes:
headers refolded until `List-Unsubscribe` is dead, certificates not verified, no time-out, header injection through
extra headers, a DNS look-up for each message, and `quit()` on a dead connection hiding the error.
"""

import smtplib
import ssl
import time
from email import policy
from email.mime.base import MIMEBase
from email.utils import formatdate, parseaddr
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from flask import Flask
from flask_mail import Connection, Mail, Message

from app.errors import JawelError
from app.mail import mailbox
from app.mail.message import ComposedLetter
from config import MailServer, Settings

LETTERS_A_CONNECTION = 100
IDLE_SECONDS = 30


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
