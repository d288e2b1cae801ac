"""Postmark: webhooks for bounces, spam complaints and changes of its suppression list.

Postmark signs nothing. Its `MessageID` is its own id, not the header, so that a report is matched by address.

https://postmarkapp.com/developer/webhooks/bounce-webhook, …/spam-complaint-webhook, …/subscription-change-webhook;
types of bounces: https://postmarkapp.com/developer/api/bounce-api#bounce-types
"""

from collections.abc import Iterator, Mapping

from app.feedback import FeedbackKind
from app.feedback.providers.claims import BounceClaim, EventKind
from app.feedback.providers.letter_header import LetterHeader
from app.feedback.providers.post import Event, JsonNode, Provider, by_secret_path

# Left out, because they say nothing of the mailbox: out of office, changes of address, tests, viruses, challenges,
# and DMARC refusals, which the sender has to fix.
_TYPES: Mapping[str, EventKind] = {
    "HardBounce": BounceClaim.GONE,
    "BadEmailAddress": BounceClaim.GONE,
    "SoftBounce": BounceClaim.MAILBOX,
    "Transient": BounceClaim.NOT_NOW,
    "DnsError": BounceClaim.MAILBOX,
    "Unknown": BounceClaim.NOT_NOW,
    "Blocked": BounceClaim.OTHER,
    "SpamNotification": BounceClaim.OTHER,
    "SpamComplaint": FeedbackKind.COMPLAINT,
    "Unsubscribe": FeedbackKind.UNSUBSCRIBE,
    "ManuallyDeactivated": FeedbackKind.UNSUBSCRIBE,
}
_REASONS: Mapping[str, EventKind] = {
    "HardBounce": BounceClaim.GONE,
    "SpamComplaint": FeedbackKind.COMPLAINT,
    "ManualSuppression": FeedbackKind.UNSUBSCRIBE,
}


def events(posted: JsonNode) -> Iterator[Event]:
    for each in posted:
        if each["RecordType"].text == "SubscriptionChange":
            yield from _change(each)
        elif kind := _TYPES.get(each["Type"].text):
            # A bounce keeps its id when it is reported again as a complaint.
            ids = (each["ServerID"].text, each["ID"].text, each["Type"].text)
            yield Event(
                kind=kind,
                ids=ids,
                address=each["Email"].text,
                letter_id=each["Metadata"]["letter"].text,
                words=each["Details"].text,
            )


def _change(change: JsonNode) -> Iterator[Event]:
    """An address was suppressed. A removal is ignored: the person has to subscribe again."""
    kind = _REASONS.get(change["SuppressionReason"].text)
    if kind and change["SuppressSending"]:
        who = change["Recipient"].text
        ids = (change["ServerID"].text, change["MessageStream"].text, change["ChangedAt"].text, who)
        letter_id = change["Metadata"]["letter"].text
        yield Event(kind=kind, ids=ids, address=who, letter_id=letter_id, left=change["MessageStream"].text)


_HEADER = LetterHeader(("postmarkapp.com",), "X-PM-Metadata-letter")
POSTMARK = Provider(by_secret_path, events, header=_HEADER)
