"""Mailjet: the event API, one event per post (version 1) or all of a second in an array (version 2).

Mailjet signs nothing. Its `MessageID` is its own id, not the header; only a `CustomID` with our Message-ID leads to a
letter, and without it a report is matched by address.

https://dev.mailjet.com/email/guides/webhooks/
"""

from collections.abc import Iterator

from app.feedback import FeedbackKind
from app.feedback.providers.post import Event, JsonNode, Provider, by_secret_path

_BLOCKED = {
    # Mailjet did not try, because of what it knows. Its other reasons are about the sender or the content.
    "user unknown": FeedbackKind.HARD_BOUNCE,
    "mailbox inactive": FeedbackKind.HARD_BOUNCE,
    "invalid domain": FeedbackKind.HARD_BOUNCE,
    "typofix": FeedbackKind.HARD_BOUNCE,
    "quota exceeded": FeedbackKind.SOFT_BOUNCE,
    "preblocked": FeedbackKind.SOFT_BOUNCE,
    "spam reporter": FeedbackKind.COMPLAINT,
}
_IDS = ("event", "MessageID", "Message_GUID", "time", "email")


def events(posted: JsonNode) -> Iterator[Event]:
    for each in posted:
        if kind := _kind(each):
            yield Event(
                kind=kind,
                ids=tuple(each[name].text for name in _IDS),
                address=each["email"].text,
                message_id=each["CustomID"].text,
                words=each["comment"].text,
            )


def _kind(event: JsonNode) -> FeedbackKind | None:
    name = event["event"].text
    if name == "bounce":
        return FeedbackKind.HARD_BOUNCE if event["hard_bounce"] else FeedbackKind.SOFT_BOUNCE
    if name == "blocked":
        return _BLOCKED.get(event["error"].text)
    return {"spam": FeedbackKind.COMPLAINT, "unsub": FeedbackKind.UNSUBSCRIBE}.get(name)


MAILJET = Provider(by_secret_path, events)
