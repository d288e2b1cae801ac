"""What a mail says, before it is known whose letter or subscription it is about."""

from dataclasses import dataclass, replace

from app.feedback import FeedbackKind
from app.feedback.replies import ReplyVerdict


@dataclass(frozen=True, slots=True)
class MailReading:
    reader: str
    """Which one understood it."""
    kind: FeedbackKind | None
    """None if it changes nothing."""
    counts: bool = False
    """Of a bounce: it is about the mailbox."""
    code: str = ""
    words: str = ""
    """Those that decided; maybe with a name among them."""

    @classmethod
    def of(cls, reader: str, verdict: ReplyVerdict) -> "MailReading":
        return cls(reader, verdict.kind, verdict.counts, verdict.code, verdict.words)

    def softened(self) -> "MailReading":
        """For a mailbox of which something is still expected."""
        return replace(self, kind=FeedbackKind.SOFT_BOUNCE, counts=False)
