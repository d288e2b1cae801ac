"""SparkPost: message and unsubscribe events, in batches, each in an object of its own.

SparkPost signs nothing. It sends the user name and password, or the token, that it is given; the secret path does the
same.

https://developers.sparkpost.com/api/webhooks/, https://developers.sparkpost.com/api/events/,
https://support.sparkpost.com/docs/deliverability/bounce-classification-codes
"""

from collections.abc import Iterator

from app.feedback import FeedbackKind
from app.feedback.providers.claims import BounceClaim, EventKind
from app.feedback.providers.letter_header import LetterHeader
from app.feedback.providers.post import Event, JsonNode, Provider, by_secret_path

_KINDS = {
    "spam_complaint": FeedbackKind.COMPLAINT,
    "list_unsubscribe": FeedbackKind.UNSUBSCRIBE,
    "link_unsubscribe": FeedbackKind.UNSUBSCRIBE,
}
_CLASSES = {
    "10": BounceClaim.GONE,
    "20": BounceClaim.NOT_NOW,
    # No host, a full mailbox, time is up.
    "21": BounceClaim.MAILBOX,
    "22": BounceClaim.MAILBOX,
    "24": BounceClaim.MAILBOX,
    # Size, policy, blocks, spam, attachments, relaying.
    "23": BounceClaim.OTHER,
    "25": BounceClaim.OTHER,
    "50": BounceClaim.OTHER,
    "51": BounceClaim.OTHER,
    "52": BounceClaim.OTHER,
    "53": BounceClaim.OTHER,
    "54": BounceClaim.OTHER,
    "70": BounceClaim.NOT_NOW,
}
_NO_BOUNCE = frozenset({"60", "80", "90", "100"})
"""An automatic reply, a mail that subscribes or unsubscribes, a challenge."""


def events(posted: JsonNode) -> Iterator[Event]:
    for each in posted:
        for event in (each["msys"]["message_event"], each["msys"]["unsubscribe_event"]):
            if kind := _kind(event):
                yield Event(
                    kind=kind,
                    ids=(event["event_id"].text,),
                    address=event["raw_rcpt_to"].text or event["rcpt_to"].text,
                    sender=event["msg_from"].text,
                    letter_id=event["rcpt_meta"]["letter"].text,
                    words=event["raw_reason"].text,
                )


def _kind(event: JsonNode) -> EventKind | None:
    name, bounce_class = event["type"].text, event["bounce_class"].text
    if name not in ("bounce", "out_of_band"):
        return _KINDS.get(name)
    return None if bounce_class in _NO_BOUNCE else _CLASSES.get(bounce_class, BounceClaim.FAILED)


_HEADER = LetterHeader(("sparkpostmail.com",), "X-MSYS-API", '{"metadata": {"letter": "LETTER"}}')
SPARKPOST = Provider(by_secret_path, events, header=_HEADER)
