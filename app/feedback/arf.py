"""Complaints (ARF, RFC 5965): what the person pressed, or had a program press."""

from app.feedback.mails import Mail
from app.subscriptions.feedback import Kind

TYPE = "message/feedback-report"
KINDS = {
    "abuse": Kind.COMPLAINT,
    "complaint": Kind.COMPLAINT,
    "fraud": Kind.COMPLAINT,
    "opt-out": Kind.UNSUBSCRIBE,
    "opt-out-list": Kind.UNSUBSCRIBE,
}
"""`not-spam` takes nothing back, for consent is given by a press of the button; `auth-failure`, `dkim`, `virus` and
`other` do not say what the person wants."""


def read(mail: Mail) -> Kind | None:
    """None where the report asks for nothing."""
    said = next(mail.inner("Feedback-Type"), "")
    return KINDS.get(said.strip().lower())
