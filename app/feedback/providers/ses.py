"""Amazon SES, through Amazon SNS: notifications of bounces and complaints, and published events, which differ little.

Every SNS message is signed, and the signature is always checked; with `SES_TOPIC` the topic as well, since anybody can
have SNS sign messages of their own topic. SNS asks once for confirmation of a topic; `prove` gives it if the message is
genuine. SES replaces the Message-ID: ours is among the original headers, if these are included, and the envelope sender
is `mail.source`.

https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html,
https://docs.aws.amazon.com/ses/latest/dg/notification-contents.html
"""

import base64
from collections.abc import Iterator

import structlog
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA1, SHA256

from app.feedback import FeedbackKind
from app.feedback.providers import certificates
from app.feedback.providers.claims import BounceClaim
from app.feedback.providers.post import Event, Forged, JsonNode, Malformed, Post, Provider, parse
from config import FeedbackChannels

log = structlog.get_logger()

SUPPRESSED = frozenset({"Suppressed", "OnAccountSuppressionList"})
"""SES did not try, because of an earlier hard bounce."""
_TRANSIENT = {
    "MailboxFull": BounceClaim.MAILBOX,
    "MessageTooLarge": BounceClaim.OTHER,
    "ContentRejected": BounceClaim.OTHER,
    "AttachmentRejected": BounceClaim.OTHER,
}
"""By subtype. `General`, the only other one, may be an absence."""

_HASHES = {"1": SHA1, "2": SHA256}
_SIGNED = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    "SubscriptionConfirmation": ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
    "UnsubscribeConfirmation": ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
}


def prove(post: Post, channels: FeedbackChannels) -> None:
    message = post.json
    if channels.ses_topic and message["TopicArn"].text != channels.ses_topic:
        raise Forged("another topic than SES_TOPIC")
    _check_signature(message)
    if message["Type"].text == "SubscriptionConfirmation":
        if certificates.confirm(message["SubscribeURL"].text, certificates.AMAZON):
            log.info("feedback.topic_confirmed", topic=message["TopicArn"].text)
        else:
            log.warning("feedback.topic_to_be_confirmed_by_hand", topic=message["TopicArn"].text)


def _check_signature(message: JsonNode) -> None:
    names = _SIGNED.get(message["Type"].text)
    hash_ = _HASHES.get(message["SignatureVersion"].text)
    if not names or not hash_:
        raise Forged("not a message of Amazon SNS")
    # The subject is signed only if there is one, everything else always.
    signed = "".join(f"{name}\n{message[name].text}\n" for name in names if name != "Subject" or message[name].text)
    key = certificates.public_key(message["SigningCertURL"].text)
    try:
        signature = base64.b64decode(message["Signature"].text, validate=True)
        key.verify(signature, signed.encode(), PKCS1v15(), hash_())
    except (ValueError, InvalidSignature):
        raise Forged("the signature of Amazon SNS does not fit") from None


def events(posted: JsonNode) -> Iterator[Event]:
    if posted["Type"].text != "Notification":
        return
    try:
        notification = parse(posted["Message"].text)
    except Malformed:
        return  # SES announces in plain text that it has found the topic
    name = notification["eventType"].text or notification["notificationType"].text
    if name == "Bounce":
        yield from _bounces(notification)
    elif name == "Complaint" and notification["complaint"]["complaintFeedbackType"].text != "not-spam":
        yield from _complaints(notification)


def _bounces(notification: JsonNode) -> Iterator[Event]:
    bounce = notification["bounce"]
    tried = bounce["bounceSubType"].text not in SUPPRESSED
    for who in bounce["bouncedRecipients"]:
        yield Event(
            kind=claim(bounce, "bounceType", "bounceSubType"),
            ids=(bounce["feedbackId"].text, who["emailAddress"].text),
            address=who["emailAddress"].text,
            sender=notification["mail"]["source"].text,
            message_id=_message_id(notification["mail"]),
            words=who["diagnosticCode"].text if tried else "",
            status=who["status"].text,
        )


def claim(bounce: JsonNode, type_: str, subtype: str) -> BounceClaim:
    """By the fields of these names."""
    kind = bounce[type_].text
    if kind == "Permanent":
        return BounceClaim.GONE
    # SES could not tell why from an undetermined one; its reply may.
    return BounceClaim.FAILED if kind == "Undetermined" else _TRANSIENT.get(bounce[subtype].text, BounceClaim.NOT_NOW)


def _complaints(notification: JsonNode) -> Iterator[Event]:
    """SES names everybody who may have complained. Of several it does not know which, so no address is taken."""
    complaint = notification["complaint"]
    who = list(complaint["complainedRecipients"])
    yield Event(
        kind=FeedbackKind.COMPLAINT,
        ids=(complaint["feedbackId"].text,),
        address=who[0]["emailAddress"].text if len(who) == 1 else "",
        sender=notification["mail"]["source"].text,
        message_id=_message_id(notification["mail"]),
    )


def _message_id(mail: JsonNode) -> str:
    headers = [each["value"].text for each in mail["headers"] if each["name"].text.lower() == "message-id"]
    return headers[0] if headers else mail["commonHeaders"]["messageId"].text


SES = Provider(prove, events)
