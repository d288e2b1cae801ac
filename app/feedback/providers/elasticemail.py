"""Elastic Email: webhooks, one event each, as a flat object.

By default it reports by GET, with the same names in the query; GET changes nothing here, so the webhook has to be made
with the delivery method `PostJson`. How such posts are signed is not on the pages below, so the secret path is the
proof. `messageid` is Elastic Email's own; `postback` is ours. It passes on no reply of the other
mail server, only a category, which it gives once it has stopped trying.

https://help.elasticemail.com/en/articles/4804685-notification-settings,
https://help.elasticemail.com/en/articles/2300650-what-are-the-bounce-error-categories-and-filters,
https://elasticemail.com/developers/api-documentation/rest-api#operation/webhooksPost
"""

from collections.abc import Iterator

from app.feedback import FeedbackKind
from app.feedback.providers.claims import BounceClaim, EventKind
from app.feedback.providers.letter_header import LetterHeader
from app.feedback.providers.post import Event, JsonNode, Provider, by_secret_path, json_or_form

_KINDS = {"abusereport": FeedbackKind.COMPLAINT, "unsubscribed": FeedbackKind.UNSUBSCRIBE}
_CATEGORIES = {
    "nomailbox": BounceClaim.GONE,
    # The mailbox is full or disabled; there is no such domain, or no server of it that answers.
    "accountproblem": BounceClaim.MAILBOX,
    "dnsproblem": BounceClaim.MAILBOX,
    "timeout": BounceClaim.MAILBOX,
    "connectionproblem": BounceClaim.MAILBOX,
    # Spam, blocklists, rates, SPF, content, a cancelled mail; or Elastic Email did not try, and does not say why.
}
_IDS = ("status", "messageid", "transaction", "date", "to")


def events(posted: JsonNode) -> Iterator[Event]:
    for each in posted:
        if kind := _kind(each):
            yield Event(
                kind=kind,
                ids=tuple(each[name].text for name in _IDS),
                address=each["to"].text,
                letter_id=each["postback"].text,
            )


def _kind(event: JsonNode) -> EventKind | None:
    status = event["status"].text.lower()
    if status == "error":
        return _CATEGORIES.get(event["category"].text.lower(), BounceClaim.OTHER)
    return _KINDS.get(status)


_HEADER = LetterHeader(("elasticemail.com",), "X-ElasticEmail-Postback")
ELASTICEMAIL = Provider(by_secret_path, events, parse=json_or_form, header=_HEADER)
