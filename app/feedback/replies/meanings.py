"""What a reply can mean, and the form of a row of the table."""

import re
from dataclasses import dataclass
from enum import Enum, StrEnum, auto


class About(Enum):
    US = auto()
    """Log-in, relaying, reputation, rate, the quota of our account: every letter would meet it."""
    SENDER = auto()
    """The envelope sender: another one may be accepted."""
    MAILBOX = auto()
    LETTER = auto()
    """Content, size, protocol, or whom the recipient hears: another letter may be accepted."""


class Meaning(StrEnum):
    GONE = "gone"
    """There is no such mailbox, or never again one that is read."""
    UNAVAILABLE = "unavailable"
    """The mailbox is full, disabled or unreachable for now, or refuses without a reason."""
    LETTER = "letter"
    SENDER = "sender"
    US = "us"

    @property
    def about(self) -> About:
        return _ABOUT[self]


_ABOUT = {
    Meaning.GONE: About.MAILBOX,
    Meaning.UNAVAILABLE: About.MAILBOX,
    Meaning.LETTER: About.LETTER,
    Meaning.SENDER: About.SENDER,
    Meaning.US: About.US,
}


@dataclass(frozen=True, slots=True)
class Row:
    meaning: Meaning
    pattern: re.Pattern[str]
    """Of the enhanced code, whole; or of some of the words."""
    source: str
    """The standard, or who says so in these words."""


def row(meaning: Meaning, source: str, *patterns: str) -> Row:
    return Row(meaning, re.compile("|".join(patterns), re.IGNORECASE), source)


def words(meaning: Meaning, source: str, *phrases: str) -> Row:
    """Each phrase is a pattern that begins with a word."""
    return row(meaning, source, rf"\b(?:{'|'.join(phrases)})")
