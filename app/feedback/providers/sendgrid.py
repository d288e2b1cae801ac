"""Twilio SendGrid: the event webhook, in batches.

With a verification key each post has to be signed: ECDSA (P-256, SHA-256) over a timestamp and the raw body.

https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event and
…/tracking-events/getting-started-event-webhook-security-features
"""

import base64
from collections.abc import Iterator

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from app.feedback import FeedbackKind
from app.feedback.providers.post import Event, Forged, JsonNode, Post, Provider
from config import FeedbackChannels

_HEADER = "x-twilio-email-event-webhook-"

_KINDS = {
    "spamreport": FeedbackKind.COMPLAINT,
    "unsubscribe": FeedbackKind.UNSUBSCRIBE,
    "group_unsubscribe": FeedbackKind.UNSUBSCRIBE,
}
_DROPPED = {
    # SendGrid did not try. Spam content, an exceeded quota or a bad header are for the sender to fix.
    "invalid": FeedbackKind.HARD_BOUNCE,
    "bounced address": FeedbackKind.HARD_BOUNCE,
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
                words=f"{each['status'].text} {each['reason'].text}",
            )


def _kind(event: JsonNode) -> FeedbackKind | None:
    """A bounce of type `blocked` is about the sender or temporary, and no reason not to retry."""
    name = event["event"].text
    if name == "bounce":
        return FeedbackKind.SOFT_BOUNCE if event["type"].text == "blocked" else FeedbackKind.HARD_BOUNCE
    if name == "dropped":
        return _DROPPED.get(event["reason"].text.lower())
    return _KINDS.get(name)


SENDGRID = Provider(prove, events)
