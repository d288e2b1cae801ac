"""Delivery failures, and the consequences of each for this and for other letters."""

from datetime import timedelta

from app.errors import JawelError
from app.feedback import FeedbackKind


class Undelivered(JawelError):
    """`code` is the part of the server's reply that is kept; its text may quote the address and is discarded."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class TemporaryFailure(Undelivered):
    """Retried: 4xx, or any failure that the letter did not cause. Other letters are not affected."""

    def __init__(self, code: str, wait: timedelta = timedelta()) -> None:
        """`wait` is the delay that the server asked for, if it named one."""
        super().__init__(code)
        self.wait = wait


class RelayBusy(TemporaryFailure):
    """The server accepts no letters for now (421, its disk is full): other letters would fail as well."""


class RelayAway(TemporaryFailure):
    """No connection for the letter: not reached, or no TLS. It does not count as a try."""


class NoFurtherConnection(RelayAway):
    """The server has open connections of ours, and takes no other one: the letter goes over one of those."""


class RelayRefused(TemporaryFailure):
    """The server refuses us: login, relaying, sender, blocklist, quota of the account. Other letters would fail too.

    It says nothing about the letter or its recipient, so it is recorded for neither.
    """


class SenderRefused(RelayRefused):
    """The server refuses our envelope sender: it may accept another one."""


class AnswerMissing(Undelivered):
    """The content was sent, its final dot included, and no reply came: the server may have accepted the letter."""


class RecipientRefused(Undelivered):
    """5xx about the mailbox, to RCPT or to the content: it does not exist, is full, or refuses this letter."""

    def __init__(self, code: str, kind: FeedbackKind) -> None:
        super().__init__(code)
        self.kind = kind


class LetterRefused(Undelivered):
    """5xx about this letter's content, or a header that cannot be sent; trying again would not help."""
