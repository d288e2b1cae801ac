"""SMTP2GO: webhooks, one event each, as a form or as JSON, whichever is chosen there.

SMTP2GO signs nothing. `sender` is the envelope sender, so that a report leads to the letter. A `reject` does not say
whether it is for an earlier bounce, a complaint or an unsubscription; each of them was reported itself.

https://developers.smtp2go.com/docs/webhooks-overview, https://support.smtp2go.com/hc/en-gb/articles/223087967
"""

from collections.abc import Iterator, Mapping

from app.feedback import FeedbackKind
from app.feedback.providers.claims import BounceClaim, EventKind
from app.feedback.providers.post import Event, JsonNode, Provider, by_secret_path, json_or_form

_KINDS: Mapping[str, EventKind] = {"spam": FeedbackKind.COMPLAINT, "unsubscribe": FeedbackKind.UNSUBSCRIBE}
_BOUNCES = {"hard": BounceClaim.GONE, "soft": BounceClaim.NOT_NOW}
_IDS = ("event", "email_id", "time", "rcpt")


def events(posted: JsonNode) -> Iterator[Event]:
    for each in posted:
        name = each["event"].text
        if kind := _BOUNCES.get(each["bounce"].text) if name == "bounce" else _KINDS.get(name):
            yield Event(
                kind=kind,
                ids=tuple(each[field].text for field in _IDS),
                address=each["rcpt"].text,
                sender=each["sender"].text,
                words=f"{each['message'].text} {each['context'].text}",
            )


SMTP2GO = Provider(by_secret_path, events, parse=json_or_form)
