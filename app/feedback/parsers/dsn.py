"""Delivery status notifications (RFC 3464, 6533): one block about the mail, then one for each recipient.

Real ones have blanks before a colon, no action, another word for it, or are encoded: what can be understood is read.
"""

import binascii
import re
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from itertools import islice

from app.feedback.parsers import text, wording
from app.feedback.parsers.mail import AnyMessage, Mail, body
from app.feedback.parsers.reading import MailReading
from app.feedback.replies import ReplyVerdict, has_code, judge

TYPES = ("message/delivery-status", "message/global-delivery-status")
ARRIVED = frozenset({"delivered", "relayed", "expanded"})
FAILED = frozenset({"failed", "failure", "fail", "error", "expired", "undeliverable", "bounced"})
"""RFC 3464 has `failed`; the others are in use."""
_BLOCKS = 100
_JUDGED = 10
"""At most this many: a letter of ours has one recipient, who may be a distribution list."""
_LONGEST = 2000
"""Characters of a field."""
_FIELD = re.compile(r"^[ \t]*([A-Za-z][A-Za-z-]{2,40})[ \t]*:[ \t]*(.*(?:\n[ \t].*)*)", re.MULTILINE)
_IN_TEXT = re.compile(r"^[ \t]*(?:Final-Recipient|Diagnostic-Code|Action)[ \t]*:.*(?:\n[ \t]*\S.*)*", re.MULTILINE)
_PROTOCOL = re.compile(r"^[A-Za-z][\w.-]{0,30};")
_BASIC = re.compile(r"(?<![\d.-])[45]\d\d(?=[ -]|$)")
_WORD = re.compile(r"(?<![\w@.<])[a-z]{3,}(?![\w@])", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class DsnRecipient:
    """One recipient's block."""

    address: str
    action: str
    status: str
    diagnostic: str
    """The innermost server's reply, without the name of the protocol (RFC 3464 section 2.3.6)."""

    @property
    def has_failed(self) -> bool:
        """If no action is readable, the codes decide."""
        if self.action in FAILED or self.action in ARRIVED or self.action == "delayed":
            return self.action in FAILED
        found = _BASIC.search(self.diagnostic)
        return (found[0] if found else self.status).startswith("5")


def read(mail: Mail) -> list[DsnRecipient]:
    """Empty if nothing of a report is readable. Amazon and others write its fields into the text for people."""
    part = mail.part(*TYPES)
    blocks = islice(_blocks(part), _BLOCKS) if part is not None else _IN_TEXT.findall(wording.of(mail))
    found = map(_recipient, map(_fields, blocks))
    return [each for each in found if each.action or each.status or each.diagnostic]


def bounce(mail: Mail, recipients: list[DsnRecipient]) -> MailReading:
    """A mailbox may be a distribution list.

    As long as one member got the letter, or only one of several is gone, nothing is known of the mailbox itself.
    """
    failed = [each for each in recipients if each.has_failed]
    if not failed or any(each.action in ARRIVED for each in recipients):
        return MailReading("dsn", None)
    verdicts = [_verdict(mail, each) for each in failed[:_JUDGED]]
    found = MailReading.of("dsn", next((each for each in verdicts if not each.is_gone), verdicts[0]))
    return found if len(failed) == len(recipients) else found.softened()


def _verdict(mail: Mail, recipient: DsnRecipient) -> ReplyVerdict:
    """By the innermost server's reply, else by a code of whoever reports, else by the text for people.

    Exim gives no diagnostic code for its own findings, X.400 gives numbers of its own.
    """
    said = recipient.diagnostic
    if has_code(said) and _WORD.search(said):
        return judge(None, recipient.status, f"{said} ({text.command(mail, recipient.address)})")
    verdict = judge(None, recipient.status, said)
    return verdict if verdict.is_decided else text.verdict(mail, recipient.status, recipient.address)


def _recipient(fields: dict[str, str]) -> DsnRecipient:
    names = ("final-recipient", "original-recipient", "action", "status", "diagnostic-code")
    final, original, action, status, diagnostic = (fields.get(name, "") for name in names)
    return DsnRecipient(
        address=(final or original).partition(";")[2].strip(" <>"),
        action=(re.findall(r"[a-z]+", action.lower()) or [""])[0],
        status=status,
        diagnostic=_PROTOCOL.sub("", diagnostic).strip(),
    )


def _fields(block: str) -> dict[str, str]:
    """The first of each name counts."""
    found = [(match[1].lower(), " ".join(match[2][:_LONGEST].split())) for match in _FIELD.finditer(block)]
    return dict(reversed(found))


def _blocks(part: AnyMessage) -> Iterator[str]:
    yield from re.split(r"\n[ \t]*\n", "\n\n".join(_source(part)).replace("\r\n", "\n"), maxsplit=_BLOCKS)


def _source(part: AnyMessage) -> Iterator[str]:
    """The parser splits only the type it knows, takes the rest for text, and leaves encodings alone."""
    content = part.get_payload()
    if not isinstance(content, list):
        yield body(part)
        return
    found = [each for each in content[:_BLOCKS] if isinstance(each, Message)]
    if str(part.get("Content-Transfer-Encoding", "")).strip().lower() == "base64":
        yield _decoded("".join(map(body, found)))
        return
    for each in found:
        fields = [f"{name}: {value}" for name, value in each.items()]
        yield "\n".join([*fields, body(each)])


def _decoded(encoded: str) -> str:
    try:
        return wording.decoded(b64decode(encoded), "")
    except (binascii.Error, ValueError):
        return ""
