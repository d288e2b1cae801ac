"""Feedback: reports of mail systems about letters, and their effect on subscriptions.

Parsers of mail and of providers' webhooks each make a `Report`; only `effects` decides what it does. A repeated report
has no further effect.
"""

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
    "take",
]
