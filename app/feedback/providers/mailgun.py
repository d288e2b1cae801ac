"""Mailgun: webhooks for permanent and temporary failures, spam complaints and unsubscribes.

With a signing key each post has to be signed. The signature covers a timestamp and a token but not the event, which the
secret path and TLS protect; so it only shows that Mailgun is posting. Its age is not checked: Mailgun retries for 8
hours, and a repeated report has no effect.

https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/securing-webhooks,
https://documentation.mailgun.com/docs/mailgun/user-manual/events/event-structure,
https://help.mailgun.com/hc/en-us/articles/28956111811355 on retries
"""

import hmac
from collections.abc import Iterator, Mapping

from app.feedback import FeedbackKind
from app.feedback.providers.claims import BounceClaim, EventKind
from app.feedback.providers.letter_header import LetterHeader
from app.feedback.providers.post import Event, Forged, JsonNode, Post, Provider
from config import FeedbackChannels

_REASONS: Mapping[str, EventKind] = {
    # Mailgun did not try, because of an earlier event.
    "suppress-bounce": BounceClaim.GONE,
    "suppress-complaint": FeedbackKind.COMPLAINT,
    "suppress-unsubscribe": FeedbackKind.UNSUBSCRIBE,
    # Given up after 8 hours, or rejected for the sender's reputation: the mailbox may well exist.
    "old": BounceClaim.MAILBOX,
    "espblock": BounceClaim.OTHER,
}
_TYPES = {"hard": BounceClaim.GONE, "soft": BounceClaim.NOT_NOW}


def prove(post: Post, channels: FeedbackChannels) -> None:
    """Posts about a subaccount are signed with its own key, and also with the parent account's."""
    if channels.mailgun_signing_key is None:
        return
    signature = post.json["signature"]
    signed = (signature["timestamp"].text + signature["token"].text).encode()
    expected = hmac.digest(channels.mailgun_signing_key.encode(), signed, "sha256").hex().encode()
    given = [signature[name].text.encode() for name in ("signature", "parent-signature")]
    if not any(hmac.compare_digest(each, expected) for each in given):
        raise Forged("Mailgun's signature does not fit")


def events(posted: JsonNode) -> Iterator[Event]:
    for each in posted:
        event = each["event-data"]
        if kind := _kind(event):
            yield Event(
                kind=kind,
                # Its id is unique within a day only.
                ids=(event["id"].text, event["timestamp"].text, event["recipient"].text),
                address=event["recipient"].text,
                sender=event["envelope"]["sender"].text,
                message_id=event["message"]["headers"]["message-id"].text,
                letter_id=event["user-variables"]["letter"].text,
                words=_reply(event),
                status=event["delivery-status"]["enhanced-code"].text,
            )


def _kind(event: JsonNode) -> EventKind | None:
    """A failure that Mailgun will retry does not count, because each retry of a letter would count again."""
    name = event["event"].text
    if name == "failed":
        reason = _REASONS.get(event["reason"].text)
        if reason or event["severity"].text != "permanent":
            return reason
        # Without a type: Mailgun calls every 5xx reply permanent, even if the mailbox is full or the sender unwelcome.
        return _TYPES.get(event["delivery-status"]["bounce-type"].text, BounceClaim.FAILED)
    return {"complained": FeedbackKind.COMPLAINT, "unsubscribed": FeedbackKind.UNSUBSCRIBE}.get(name)


def _reply(event: JsonNode) -> str:
    status = event["delivery-status"]
    return " ".join(status[name].text for name in ("code", "message", "description"))


_HEADER = LetterHeader(("mailgun.org",), "X-Mailgun-Variables", '{"letter": "LETTER"}')
MAILGUN = Provider(prove, events, header=_HEADER)
