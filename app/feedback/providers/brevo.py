"""Brevo: webhooks for transactional and marketing mails, one event each or in batches.

Brevo signs nothing; checking its address ranges is left to a firewall. An event has no id of its own, but message,
kind and instant together identify it.

https://developers.brevo.com/docs/transactional-webhooks, https://developers.brevo.com/docs/marketing-webhooks
"""

from collections.abc import Iterator, Mapping

from app.feedback import FeedbackKind
from app.feedback.providers.claims import BounceClaim, EventKind
from app.feedback.providers.letter_header import LetterHeader
from app.feedback.providers.post import Event, JsonNode, Provider, by_secret_path

_KINDS: Mapping[str, EventKind] = {
    "hard_bounce": BounceClaim.GONE,
    "invalid_email": BounceClaim.GONE,
    "soft_bounce": BounceClaim.NOT_NOW,
    # Brevo did not try; it does not distinguish between several reasons.
    "blocked": BounceClaim.OTHER,
    "spam": FeedbackKind.COMPLAINT,
    "complaint": FeedbackKind.COMPLAINT,
    "unsubscribe": FeedbackKind.UNSUBSCRIBE,
    "unsubscribed": FeedbackKind.UNSUBSCRIBE,
}
_IDS = ("event", "message-id", "camp_id", "ts_epoch", "ts_event", "email")


def events(posted: JsonNode) -> Iterator[Event]:
    for each in posted:
        if kind := _KINDS.get(each["event"].text):
            yield Event(
                kind=kind,
                ids=tuple(each[name].text for name in _IDS),
                address=each["email"].text,
                message_id=each["message-id"].text,
                letter_id=each["X-Mailin-custom"].text,
                words=each["reason"].text,
            )


_HEADER = LetterHeader(("brevo.com", "sendinblue.com"), "X-Mailin-custom")
BREVO = Provider(by_secret_path, events, header=_HEADER)
