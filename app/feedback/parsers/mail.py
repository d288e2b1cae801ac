"""An incoming mail, as far as it can be read: its recipients, its kind, and the letter that it returns.

Whatever a stranger's program wrote is read without an error: headers as text, parts as they are.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from email import message_from_bytes, policy
from email.message import Message
from email.parser import HeaderParser
from itertools import islice
from typing import TYPE_CHECKING
from uuid import UUID

RECIPIENT_HEADERS = ("X-Original-To", "Delivered-To", "Envelope-To", "To")
"""Headers in which mail systems note the envelope recipient, best first."""

_MESSAGE_ID = re.compile(
    r"^[ \t>]*message-id:\s*<?([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})@", re.I | re.M
)
HEADS = ("text/rfc822-headers", "message/rfc822-headers", "message/global-headers")
_PARTS = 100
"""At most this many are read: a report has three."""
_HEAD = 16 * 1024
"""Characters read of a returned head: decoded content may exceed what the mail was cut to."""

if TYPE_CHECKING:
    AnyMessage = Message[str, str]
else:
    AnyMessage = Message  # Python 3.11 has no `Message[…]`


@dataclass(frozen=True, slots=True)
class Mail:
    raw: bytes
    message: AnyMessage
    parts: tuple[AnyMessage, ...]
    """The mail itself, and the parts in it."""
    own_parts: tuple[AnyMessage, ...]
    """Without those of mails that it returns or forwards."""
    recipients: tuple[str, ...]
    """Possible recipients, likeliest first."""

    @classmethod
    def read(cls, raw: bytes, recipient: str | None) -> "Mail":
        """`raw`: the output of `limits.cut`. `recipient`: from the envelope, if the mail server passes it on."""
        message = message_from_bytes(raw, policy=policy.compat32)
        told = [recipient] if recipient else [text for name in RECIPIENT_HEADERS for text in headers(message, name)]
        parts, own = (tuple(islice(each, _PARTS)) for each in (message.walk(), _own(message)))
        return cls(raw, message, parts, own, tuple(told))

    def addressed_to(self, recipient: str | None) -> "Mail":
        """The same mail with that recipient of the envelope; None: with those that its headers tell."""
        return replace(self, recipients=(recipient,)) if recipient else self

    def part(self, *types: str) -> AnyMessage | None:
        """Its own, else one of a mail that it returns or forwards."""
        return next((part for part in (*self.own_parts, *self.parts) if part.get_content_type() in types), None)

    def header(self, name: str) -> str:
        """The first of that name; empty if there is none."""
        return next(iter(headers(self.message, name)), "")

    def inner(self, name: str) -> Iterator[str]:
        """That header in all that the mail contains: the returned letter, whole or its head, and a report."""
        for part in self.parts[1:]:
            yield from headers(part, name)
            if part.get_content_type() in HEADS:
                yield from headers(HeaderParser(policy=policy.compat32).parsestr(body(part).lstrip()[:_HEAD]), name)

    def returned_letters(self) -> Iterator[UUID]:
        """Possible letters of ours, by the Message-IDs found in the mail, except its own."""
        seen = [f"Message-ID: {text}" for text in self.inner("Message-ID")]
        for text in [*seen, *map(body, self.parts)]:
            for match in _MESSAGE_ID.finditer(text):
                yield UUID(match[1])


def headers(message: AnyMessage, name: str) -> list[str]:
    """All headers of that name, unfolded, as text."""
    return [" ".join(str(value).split()) for value in message.get_all(name, [])]


def body(part: AnyMessage) -> str:
    """The text of a part; empty if it has parts itself."""
    if part.is_multipart():
        return ""
    content = part.get_payload(decode=True)
    return content.decode("utf-8", "replace") if isinstance(content, bytes) else ""


def _own(message: AnyMessage) -> Iterator[AnyMessage]:
    yield message
    content = message.get_payload()
    if isinstance(content, list) and message.get_content_maintype() != "message":
        for each in content:
            if isinstance(each, Message):
                yield from _own(each)
