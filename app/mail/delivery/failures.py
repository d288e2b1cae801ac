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
    """No connection for the letter: not reached, no TLS, not logged in. It does not count as a try."""


class RecipientRefused(Undelivered):
    """5xx to RCPT: the mailbox does not exist, or refuses this letter."""

    def __init__(self, code: str, kind: FeedbackKind) -> None:
        super().__init__(code)
        self.kind = kind


class LetterRefused(Undelivered):
    """5xx to this letter's sender or content; trying again would not help."""
