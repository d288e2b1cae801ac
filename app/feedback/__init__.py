"""Feedback: what mail systems report about letters, and what becomes of subscriptions by it.

Parsers of mail and of providers' webhooks make a `Report` each; `effects` alone decides what a report does. The same
report twice does nothing more.
"""

from app.feedback import smtp_status
from app.feedback.effects import take
from app.feedback.report import FeedbackKind, FeedbackReport, Outcome, Report, about_letter, fingerprint, purge

__all__ = [
    "FeedbackKind",
    "FeedbackReport",
    "Outcome",
    "Report",
    "about_letter",
    "fingerprint",
    "purge",
    "smtp_status",
    "take",
]
