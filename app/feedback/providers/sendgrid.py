"""Twilio SendGrid: the event webhook, in batches.

With a verification key each post has to be signed: ECDSA (P-256, SHA-256) over a timestamp and the raw body.

https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event and
…/tracking-events/getting-started-event-webhook-security-features
"""

import base64
import re
from collections.abc import Iterator, Mapping

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from app.feedback import FeedbackKind
from app.feedback.providers.claims import BounceClaim, EventKind
from app.feedback.providers.letter_header import LetterHeader
from app.feedback.providers.post import Event, Forged, JsonNode, Post, Provider
from config import FeedbackChannels

_HEADER = "x-twilio-email-event-webhook-"

_KINDS = {
    "spamreport": FeedbackKind.COMPLAINT,
    "unsubscribe": FeedbackKind.UNSUBSCRIBE,
    "group_unsubscribe": FeedbackKind.UNSUBSCRIBE,
}
_CLASSES = {
    "invalid": BounceClaim.GONE,
    "content": BounceClaim.OTHER,
    "reputation": BounceClaim.OTHER,
    "frequency": BounceClaim.OTHER,
    "mailbox": BounceClaim.FAILED,
    "technical": BounceClaim.FAILED,
    "unclassified": BounceClaim.FAILED,
}
"""By the first word of the classification, which the pages of SendGrid do not all end alike."""
_DROPPED: Mapping[str, EventKind] = {
    # SendGrid did not try. Spam content, an exceeded quota or a bad header are for the sender to fix.
    "invalid": BounceClaim.GONE,
    "bounced address": BounceClaim.GONE,
    "spam reporting address": FeedbackKind.COMPLAINT,
    "unsubscribed address": FeedbackKind.UNSUBSCRIBE,
}


def prove(post: Post, channels: FeedbackChannels) -> None:
    if channels.sendgrid_public_key is None:
        return
    key = load_der_public_key(base64.b64decode(channels.sendgrid_public_key))
    assert isinstance(key, EllipticCurvePublicKey)
    timestamp = post.headers.get(f"{_HEADER}timestamp", "")
    try:
        signature = base64.b64decode(post.headers.get(f"{_HEADER}signature", ""), validate=True)
        key.verify(signature, timestamp.encode() + post.body, ECDSA(SHA256()))
    except (ValueError, InvalidSignature):
        raise Forged("SendGrid's signature does not fit") from None


def events(posted: JsonNode) -> Iterator[Event]:
    for each in posted:
        if kind := _kind(each):
            yield Event(
                kind=kind,
                ids=(each["sg_event_id"].text,)
                if each["sg_event_id"].text
                else tuple(each[name].text for name in ("event", "sg_message_id", "timestamp", "email")),
                address=each["email"].text,
                message_id=each["smtp-id"].text,
                letter_id=each["letter"].text,
                left=each["asm_group_id"].text if each["event"].text == "group_unsubscribe" else "",
                words=each["reason"].text,
                status=each["status"].text,
            )


def _kind(event: JsonNode) -> EventKind | None:
    name = event["event"].text
    if name == "bounce":
        return _bounce(event)
    if name == "dropped":
        return _DROPPED.get(event["reason"].text.lower())
    return _KINDS.get(name)


def _bounce(event: JsonNode) -> BounceClaim:
    """One of type `blocked` is about the sender or temporary: SendGrid itself goes on delivering to the address."""
    first, *_ = re.split(r"\W", event["bounce_classification"].text.lower())
    claim = _CLASSES.get(first, BounceClaim.GONE)
    return BounceClaim.NOT_NOW if event["type"].text == "blocked" and claim is not BounceClaim.OTHER else claim


_LETTER = LetterHeader(("sendgrid.net",), "X-SMTPAPI", '{"unique_args": {"letter": "LETTER"}}')
SENDGRID = Provider(prove, events, header=_LETTER)
