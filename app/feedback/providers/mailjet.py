"""Mailjet: the event API, one event each (version 1) or all of a second in an array (version 2).

Mailjet signs nothing. Its `MessageID` is an id of its own and not the header; only a `CustomID` that is our Message-ID
leads to a letter, and without it a report is matched by address.

https://dev.mailjet.com/email/guides/webhooks/
"""

from collections.abc import Iterator

from app.feedback.providers.post import Event, Node, Provider, by_secret_path
from app.subscriptions.feedback import Kind

_BLOCKED = {
    # Mailjet did not try, because of what it knows. Whatever else it blocks for is about the sender or the content.
    "user unknown": Kind.HARD_BOUNCE,
    "mailbox inactive": Kind.HARD_BOUNCE,
    "invalid domain": Kind.HARD_BOUNCE,
    "typofix": Kind.HARD_BOUNCE,
    "quota exceeded": Kind.SOFT_BOUNCE,
    "preblocked": Kind.SOFT_BOUNCE,
    "spam reporter": Kind.COMPLAINT,
}
_IDS = ("event", "MessageID", "Message_GUID", "time", "email")


def events(posted: Node) -> Iterator[Event]:
    for each in posted:
        if kind := _kind(each):
            yield Event(
                kind=kind,
                ids=tuple(each[name].text for name in _IDS),
                address=each["email"].text,
                message_id=each["CustomID"].text,
                words=each["comment"].text,
            )


def _kind(event: Node) -> Kind | None:
    name = event["event"].text
    if name == "bounce":
        return Kind.HARD_BOUNCE if event["hard_bounce"] else Kind.SOFT_BOUNCE
    if name == "blocked":
        return _BLOCKED.get(event["error"].text)
    return {"spam": Kind.COMPLAINT, "unsub": Kind.UNSUBSCRIBE}.get(name)


MAILJET = Provider(by_secret_path, events)
