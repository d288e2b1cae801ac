"""Mail providers that report events by HTTP. Each has a module; this one converts their events to reports.

Invariant: a post that cannot prove that it comes from the provider makes no report.
"""

import hmac
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import parseaddr
from uuid import UUID

from app.addresses import EmailAddress, InvalidAddress
from app.feedback import FeedbackKind, Report
from app.feedback.providers import claims
from app.feedback.providers.brevo import BREVO
from app.feedback.providers.claims import BounceClaim
from app.feedback.providers.elasticemail import ELASTICEMAIL
from app.feedback.providers.letter_header import LetterHeader
from app.feedback.providers.mailgun import MAILGUN
from app.feedback.providers.mailjet import MAILJET
from app.feedback.providers.mandrill import MANDRILL
from app.feedback.providers.post import Event, Post
from app.feedback.providers.postmark import POSTMARK
from app.feedback.providers.resend import RESEND
from app.feedback.providers.scaleway import SCALEWAY
from app.feedback.providers.sendgrid import SENDGRID
from app.feedback.providers.ses import SES
from app.feedback.providers.smtp2go import SMTP2GO
from app.feedback.providers.sparkpost import SPARKPOST
from app.feedback.replies import About, Meaning, ReplyVerdict, has_code, judge
from config import FeedbackChannels

PROVIDERS = {
    "brevo": BREVO,
    "elasticemail": ELASTICEMAIL,
    "mailgun": MAILGUN,
    "mailjet": MAILJET,
    "mandrill": MANDRILL,
    "postmark": POSTMARK,
    "resend": RESEND,
    "scaleway": SCALEWAY,
    "sendgrid": SENDGRID,
    "ses": SES,
    "smtp2go": SMTP2GO,
    "sparkpost": SPARKPOST,
}

_ID = r"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"
_LETTER_ID = re.compile(_ID, re.IGNORECASE)
_MESSAGE_ID = re.compile(rf"\s*<?{_ID}@[^@\s<>]+>?\s*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Ours:
    """The keys and lookups that a provider's events are matched with."""

    channels: FeedbackChannels
    key: str
    """For fingerprints: some providers give events no id, and then the address has to distinguish them."""
    letter_by_sender: Callable[[str], UUID | None]
    """The letter that was sent from that envelope address; None if it is not one of ours."""


def letter_header(host: str) -> LetterHeader | None:
    """For letters to the mail server of that name; None unless it is a provider's that passes the letter's id back."""
    found = (each.header for each in PROVIDERS.values() if each.header and each.header.serves(host))
    return next(found, None)


def read(name: str, post: Post, ours: Ours) -> list[Report]:
    """The provider's reports that may be about us. Raises Forged, ProofOutOfReach or Malformed."""
    provider = PROVIDERS[name]
    provider.prove(post, ours.channels)
    found = (report(name, event, ours) for event in provider.events(post.json))
    return [each for each in found if each]


def report(name: str, event: Event, ours: Ours) -> Report | None:
    """None if the event names neither a letter nor an address."""
    letter_id = _letter(event, ours)
    address = _address(event.address)
    if letter_id is None and address is None:
        return None
    verdict = judge(None, event.status, event.words)
    kind, counts = _kind(event, verdict)
    return Report(
        kind=kind,
        source=name,
        fingerprint=_fingerprint(name, kind, event, ours.key),
        letter_id=letter_id,
        provider_list=f"{name}/{event.left}" if event.left else "",
        address=address,
        code=verdict.code,
        counts=counts,
    )


def _kind(event: Event, verdict: ReplyVerdict) -> tuple[FeedbackKind, bool]:
    """And whether it counts towards giving the mailbox up, if it is a soft bounce."""
    if not isinstance(event.kind, BounceClaim):
        return event.kind, False
    meaning = claims.weigh(event.kind, verdict, has_reply=has_code(f"{event.status} {event.words}"))
    if meaning is Meaning.GONE:
        return FeedbackKind.HARD_BOUNCE, False
    return FeedbackKind.SOFT_BOUNCE, meaning.about is About.MAILBOX


def _letter(event: Event, ours: Ours) -> UUID | None:
    """The id of the letter, by its envelope sender, by what we passed on, or by its Message-ID."""
    if found := ours.letter_by_sender(parseaddr(event.sender)[1]):
        return found
    match = _LETTER_ID.fullmatch(event.letter_id) or _MESSAGE_ID.fullmatch(event.message_id)
    return UUID(match[1]) if match else None


def _fingerprint(name: str, kind: FeedbackKind, event: Event, key: str) -> str:
    told_apart = json.dumps([kind, event.message_id, event.address, *event.ids])
    return f"{name}:{hmac.digest(key.encode(), told_apart.encode(), 'sha256').hex()}"


def _address(text: str) -> EmailAddress | None:
    try:
        return EmailAddress.parse(parseaddr(text)[1])
    except InvalidAddress:
        return None
