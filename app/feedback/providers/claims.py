"""What a bounce means: the reply that the provider passes on, and what the provider itself makes of it.

"Gone" needs both: a reply about the letter, about us or about a full mailbox vetoes a provider that calls its bounce
hard, and a provider that calls it soft vetoes a reply that says "gone". Only a reply with a code, or a provider that
says so, makes a soft bounce count.
"""

from enum import Enum, auto

from app.feedback import FeedbackKind
from app.feedback.replies import Meaning, ReplyVerdict


class BounceClaim(Enum):
    """What the provider says of a bounce."""

    GONE = auto()
    """There is no such mailbox."""
    FAILED = auto()
    """Refused for good, whatever the reason."""
    NOT_NOW = auto()
    """Not for good; the reason may be an absence."""
    MAILBOX = auto()
    """The mailbox is full, disabled or unreachable, but not for good."""
    OTHER = auto()
    """It is about the content, the size, the sender, or the provider itself."""


EventKind = FeedbackKind | BounceClaim
"""A claim if it is a bounce."""

_ALONE = {BounceClaim.GONE: Meaning.GONE, BounceClaim.MAILBOX: Meaning.UNAVAILABLE}


def weigh(claim: BounceClaim, verdict: ReplyVerdict, *, has_reply: bool) -> Meaning:
    """`has_reply`: there is a reply of a mail server, with a code."""
    if claim is BounceClaim.OTHER:
        return Meaning.LETTER
    if verdict.is_decided:
        may_be_gone = claim in (BounceClaim.GONE, BounceClaim.FAILED) or not verdict.is_gone
        return verdict.meaning if may_be_gone else Meaning.UNAVAILABLE
    return _ALONE.get(claim) or (verdict.meaning if has_reply else Meaning.LETTER)
