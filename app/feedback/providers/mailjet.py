"""Mailjet: the event API, one event per post (version 1) or all of a second in an array (version 2).

Mailjet signs nothing. Its `MessageID` is its own id, not the header; only the `CustomID` leads to a letter.

https://dev.mailjet.com/email/guides/webhooks/
"""

from collections.abc import Iterator

from app.feedback import FeedbackKind
from app.feedback.providers.claims import BounceClaim, EventKind
from app.feedback.providers.letter_header import LetterHeader
from app.feedback.providers.post import Event, JsonNode, Provider, by_secret_path

_ERRORS = {
    "user unknown": BounceClaim.GONE,
    "mailbox inactive": BounceClaim.GONE,
    "invalid domain": BounceClaim.GONE,
    "no mail host": BounceClaim.GONE,
    "typofix": BounceClaim.GONE,
    "quota exceeded": BounceClaim.MAILBOX,
    "relay/access denied": BounceClaim.OTHER,
    "greylisted": BounceClaim.OTHER,
    "preblocked": BounceClaim.MAILBOX,
}
_OTHERS = frozenset({"content", "spam", "system", "mailjet"})
"""What an error may be related to, other than a recipient or a domain."""
_BLOCKED = frozenset({"user unknown", "mailbox inactive", "invalid domain", "typofix", "quota exceeded", "preblocked"})
"""Mailjet did not try, because of what it knows. Its other reasons are about the sender or the content."""
_IDS = ("event", "MessageID", "Message_GUID", "time", "email")


def events(posted: JsonNode) -> Iterator[Event]:
    for each in posted:
        if kind := _kind(each):
            yield Event(
                kind=kind,
                ids=tuple(each[name].text for name in _IDS),
                address=each["email"].text,
                letter_id=each["CustomID"].text,
                left=each["mj_list_id"].text,
                words=each["comment"].text,
            )


def _kind(event: JsonNode) -> EventKind | None:
    name, error = event["event"].text, event["error"].text
    if name == "bounce":
        return _bounce(event)
    if name == "blocked" and error == "spam reporter":
        return FeedbackKind.COMPLAINT
    if name == "blocked":
        return _ERRORS[error] if error in _BLOCKED else None
    return {"spam": FeedbackKind.COMPLAINT, "unsub": FeedbackKind.UNSUBSCRIBE}.get(name)


def _bounce(event: JsonNode) -> BounceClaim:
    """`hard_bounce` says that Mailjet does not try again, whatever the error is related to."""
    if event["error_related_to"].text in _OTHERS:
        return BounceClaim.OTHER
    claim = _ERRORS.get(event["error"].text)
    if event["hard_bounce"]:
        return claim or BounceClaim.GONE
    return BounceClaim.NOT_NOW if claim in (None, BounceClaim.GONE) else claim


_HEADER = LetterHeader(("mailjet.com",), "X-MJ-CustomID")
MAILJET = Provider(by_secret_path, events, header=_HEADER)
