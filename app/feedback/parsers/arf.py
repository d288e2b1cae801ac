"""Complaints and opt-outs (ARF, RFC 5965), triggered by the person or by a program for them."""

from app.feedback import FeedbackKind
from app.feedback.parsers.mail import Mail
from app.feedback.parsers.reading import MailReading

TYPE = "message/feedback-report"
KINDS = {
    "abuse": FeedbackKind.COMPLAINT,
    "complaint": FeedbackKind.COMPLAINT,
    "fraud": FeedbackKind.COMPLAINT,
    "opt-out": FeedbackKind.UNSUBSCRIBE,
    "opt-out-list": FeedbackKind.UNSUBSCRIBE,
}
"""`not-spam` takes nothing back, because only a press of the button gives consent.

`auth-failure`, `dkim`, `virus` and `other` do not say what the person wants.
"""


def read(mail: Mail) -> MailReading | None:
    """None if it is no complaint."""
    if mail.part(TYPE) is not None:
        said = next(mail.inner("Feedback-Type"), "")
        return MailReading("arf", KINDS.get(said.strip().lower()), words=said)
    return None
