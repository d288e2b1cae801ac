"""Complaints and opt-outs, triggered by the person or by a program for them: ARF (RFC 5965), and Microsoft's JMRP.

JMRP has no report: it attaches the letter, with a header that names who complained.
https://sendersupport.olc.protection.outlook.com/snds/
"""

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
_JMRP = "X-HmXmrOriginalRecipient"


def read(mail: Mail) -> MailReading | None:
    """None if it is no complaint."""
    if mail.part(TYPE) is not None:
        said = next(mail.inner("Feedback-Type"), "")
        return MailReading("arf", KINDS.get(said.strip().lower()), words=said)
    if next(mail.inner(_JMRP), None) is not None:
        return MailReading("jmrp", FeedbackKind.COMPLAINT)
    return None
