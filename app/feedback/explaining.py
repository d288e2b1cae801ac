"""What a mail would be taken for, whoever it is about, for an operator who has to understand a wrong verdict.

Invariant: it says no address, nor a part of one. Names that stand in no address of the mail may be among the words.
"""

import re
from dataclasses import dataclass
from itertools import chain, islice

from app.feedback.inbound import NOTHING, understand
from app.feedback.parsers import leaving, limits
from app.feedback.parsers.mail import Mail, body
from app.feedback.parsers.reading import MailReading
from app.feedback.replies import vocabulary

_UNSUBSCRIBE_ADDRESS = re.compile(r"\+u(?:[A-Za-z2-7]{42}|[A-Z][A-Z0-9]{4,})@")
"""Signed by whatever key; or with a word in capitals where a token was blotted out."""
_ADDRESS = re.compile(r"[^\s<>()\[\]\",;:=?\x00-\x1f]{1,64}@[^\s<>()\[\]\",;:?\x00-\x1f]{1,255}")
_MOST_ADDRESSES = 1000
_PIECE = re.compile(r"[^\W_]+")
_LONGEST = 200


@dataclass(frozen=True, slots=True)
class Explanation:
    verdict: str
    """As `FeedbackKind`, or `none`."""
    counted: bool
    """Whether it counts towards giving the mailbox up."""
    reader: str
    code: str
    words: str


def explain(raw: bytes, recipient: str | None) -> Explanation:
    """Raises any error of the parser on malformed mail."""
    mail = Mail.read(limits.cut(raw), recipient)
    found = _found(mail)
    return Explanation(
        verdict=found.kind or "none",
        counted=found.counts,
        reader=found.reader,
        code=found.code,
        words=_redacted(found.words, mail),
    )


def _found(mail: Mail) -> MailReading:
    if any(map(_UNSUBSCRIBE_ADDRESS.search, mail.recipients)):
        return leaving.read(mail)
    found = understand(mail)
    return leaving.read(mail) if found is NOTHING and leaving.looks_like(mail) else found


def _redacted(words: str, mail: Mail) -> str:
    """Without addresses, and without words that are in one, except those that verdicts go by, such as `user`."""
    hidden = _in_addresses(mail) - vocabulary()
    kept = _PIECE.sub(lambda piece: "…" if piece[0].lower() in hidden else piece[0], _ADDRESS.sub("…", words))
    return kept.replace("@", "…")[:_LONGEST]


def _in_addresses(mail: Mail) -> set[str]:
    """As the mail was written, and as its parts read once decoded."""
    texts = (mail.raw.decode("utf-8", "replace"), *map(body, mail.parts), *mail.recipients)
    found = islice(chain.from_iterable(map(_ADDRESS.finditer, texts)), _MOST_ADDRESSES)
    return {piece.lower() for match in found for piece in _PIECE.findall(match[0])}
