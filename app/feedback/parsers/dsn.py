"""Delivery status notifications (RFC 3464, 6533): one block about the mail, then one for each recipient."""

from collections.abc import Iterator
from dataclasses import dataclass
from email import policy
from email.message import Message
from email.parser import HeaderParser
from itertools import islice

from app.feedback import FeedbackKind
from app.feedback.parsers.mail import AnyMessage, Mail, body, headers
from app.feedback.replies import ReplyVerdict, judge

TYPES = ("message/delivery-status", "message/global-delivery-status")
ARRIVED = {"delivered", "relayed", "expanded"}
_BLOCKS = 100
"""At most this many are read: a letter of ours has one recipient, who may be a distribution list."""


@dataclass(frozen=True, slots=True)
class Bounce:
    kind: FeedbackKind
    code: str
    counts: bool

    @classmethod
    def of(cls, verdict: ReplyVerdict) -> "Bounce":
        return cls(verdict.kind, verdict.code, verdict.counts)


@dataclass(frozen=True, slots=True)
class _Recipient:
    action: str
    status: str
    diagnostic: str

    @property
    def bounce(self) -> Bounce:
        return Bounce.of(judge(None, self.status, self.diagnostic))


def read(mail: Mail) -> Bounce | None:
    """The bounce of the letter; None if it did not fail, or not yet.

    A mailbox may be a distribution list: as long as one member got the letter, or only one of several is gone, nothing
    is known of the mailbox itself.
    """
    recipients = list(_recipients(mail))
    failed = [each.bounce for each in recipients if each.action == "failed"]
    if not failed or any(each.action in ARRIVED for each in recipients):
        return None
    return next((each for each in failed if each.kind is FeedbackKind.SOFT_BOUNCE), failed[0])


def _recipients(mail: Mail) -> Iterator[_Recipient]:
    part, words = mail.part(*TYPES), mail.words
    for block in islice(_blocks(part), _BLOCKS) if part is not None else ():
        action = _first(block, "Action").partition(" ")[0].lower()
        if action:
            # Exim gives no diagnostic code for its own findings, only text for people.
            yield _Recipient(action, _first(block, "Status"), _first(block, "Diagnostic-Code") or words)


def _blocks(part: AnyMessage) -> Iterator[AnyMessage]:
    """The parser splits only the type it knows; of the newer type it yields one block, and the rest as text."""
    content = part.get_payload()
    found = content if isinstance(content, list) else []
    blocks = [block for block in found if isinstance(block, Message)]
    yield from blocks
    for text in map(body, blocks or [part]):
        for block in text.replace("\r\n", "\n").split("\n\n", _BLOCKS):
            yield HeaderParser(policy=policy.compat32).parsestr(block.lstrip("\n"))


def _first(block: AnyMessage, name: str) -> str:
    return next(iter(headers(block, name)), "").strip()
