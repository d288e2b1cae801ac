"""The ways in which a letter is not delivered, and what each means for it and for the others."""

from datetime import timedelta

from app.errors import JawelError
from app.feedback import FeedbackKind


class Undelivered(JawelError):
    """`code` is what is kept of the server's answer; its text may quote the address, and is not."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class TemporaryFailure(Undelivered):
    """Worth another try: 4xx, or anything the letter is not to blame for. The others are tried as ever."""

    def __init__(self, code: str, wait: timedelta = timedelta()) -> None:
        """`wait` is what the server asked for, if it named a time."""
        super().__init__(code)
        self.wait = wait


class RelayBusy(TemporaryFailure):
    """The server wants no letters for now (421, its disk is full): the others would fare no better."""


class RelayAway(TemporaryFailure):
    """There was no connection to hand the letter over: not reached, no TLS, not logged in. It was not even tried."""


class RecipientRefused(Undelivered):
    """5xx to RCPT: there is no such mailbox, or it does not want this letter."""

    def __init__(self, code: str, kind: FeedbackKind) -> None:
        super().__init__(code)
        self.kind = kind


class LetterRefused(Undelivered):
    """5xx to this letter's sender or content; trying again would not help."""
