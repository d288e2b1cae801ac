"""Mailchimp Transactional (Mandrill): webhooks in batches, as JSON in one field of a form.

With the webhook's key each post has to be signed: HMAC-SHA1 over the webhook's URL and the fields of the form.

https://mailchimp.com/developer/transactional/docs/webhooks/,
https://mailchimp.com/developer/transactional/guides/track-respond-activity-webhooks/#authenticating-webhook-requests
"""

import base64
import hmac
from collections.abc import Iterator, Mapping

from app.feedback import FeedbackKind
from app.feedback.providers.claims import BounceClaim, EventKind
from app.feedback.providers.letter_header import LetterHeader
from app.feedback.providers.post import Event, Forged, JsonNode, Post, Provider, form, parse
from config import FeedbackChannels

_KINDS: Mapping[str, EventKind] = {
    "hard_bounce": BounceClaim.GONE,
    "soft_bounce": BounceClaim.NOT_NOW,
    "spam": FeedbackKind.COMPLAINT,
    "unsub": FeedbackKind.UNSUBSCRIBE,
}


def prove(post: Post, channels: FeedbackChannels) -> None:
    if channels.mandrill_webhook_key is None:
        return
    fields = dict(post.json.items())
    signed = post.url + "".join(f"{name}{fields[name].text}" for name in sorted(fields))
    expected = base64.b64encode(hmac.digest(channels.mandrill_webhook_key.encode(), signed.encode(), "sha1"))
    if not hmac.compare_digest(post.headers.get("x-mandrill-signature", "").encode(), expected):
        raise Forged("Mandrill's signature does not fit: the key may be another webhook's, or PUBLIC_URL not its URL")


def events(posted: JsonNode) -> Iterator[Event]:
    for each in parse(posted["mandrill_events"].text):
        message = each["msg"]
        if kind := _kind(each):
            yield Event(
                kind=kind,
                ids=tuple(each[name].text for name in ("event", "_id", "ts")),
                address=message["email"].text,
                letter_id=message["metadata"]["letter"].text,
                words=message["diag"].text,
            )


def _kind(event: JsonNode) -> EventKind | None:
    kind = _KINDS.get(event["event"].text)
    is_full = kind is BounceClaim.NOT_NOW and event["msg"]["bounce_description"].text == "mailbox_full"
    return BounceClaim.MAILBOX if is_full else kind


_HEADER = LetterHeader(("mandrillapp.com",), "X-MC-Metadata", '{"letter": "LETTER"}')
MANDRILL = Provider(prove, events, parse=form, header=_HEADER)
