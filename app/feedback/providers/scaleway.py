"""Scaleway Transactional Email (TEM), through Scaleway's Topics and Events, in envelopes like those of Amazon SNS.

The secret path is the proof: what exactly Scaleway signs is not on the pages below, so its signature is not checked. A
topic asks once for confirmation, which `prove` gives it, at Scaleway's own hosts only. The headers of the mail are
passed on, and with them our Message-ID.

https://www.scaleway.com/en/docs/transactional-email/reference-content/webhook-events-payloads/,
https://www.scaleway.com/en/docs/topics-and-events/how-to/create-manage-subscriptions/
"""

from collections.abc import Iterator

import structlog

from app.feedback.providers import certificates
from app.feedback.providers.claims import BounceClaim, EventKind
from app.feedback.providers.post import Event, JsonNode, Malformed, Post, Provider, parse
from config import FeedbackChannels

log = structlog.get_logger()

_KINDS = {
    "email_mailbox_not_found": BounceClaim.GONE,
    "email_dropped": BounceClaim.FAILED,
    # By Scaleway's filter or the other server's, or by the person: it does not say which.
    "email_spam": BounceClaim.OTHER,
}
_BLOCKLISTS = {"mailbox_not_found": BounceClaim.GONE, "mailbox_full": BounceClaim.MAILBOX}


def prove(post: Post, _channels: FeedbackChannels) -> None:
    if post.json["Type"].text == "SubscriptionConfirmation":
        if certificates.confirm(post.json["SubscribeURL"].text, certificates.SCALEWAY):
            log.info("feedback.topic_confirmed", topic=post.json["TopicArn"].text)
        else:
            log.warning("feedback.topic_to_be_confirmed_by_hand", topic=post.json["TopicArn"].text)


def events(posted: JsonNode) -> Iterator[Event]:
    if posted["Type"].text != "Notification":
        return
    try:
        event = parse(posted["Message"].text)
    except Malformed:
        return
    if kind := _kind(event):
        yield Event(
            kind=kind,
            ids=(event["id"].text,),
            address=event["email_to"].text,
            message_id=_message_id(event),
            words=f"{event['email_response_code'].text} {event['email_response_message'].text}",
        )


def _kind(event: JsonNode) -> EventKind | None:
    """A blocklist is made from a bounce, and then mails are not even tried."""
    if event["type"].text == "email_blocklisted":
        return _BLOCKLISTS.get(event["blocklist_type"].text)
    return _KINDS.get(event["type"].text)


def _message_id(event: JsonNode) -> str:
    found = [each["value"].text for each in event["email_headers"] if each["key"].text.lower() == "message-id"]
    return found[0] if found else ""


SCALEWAY = Provider(prove, events)
