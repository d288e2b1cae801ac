"""Feedback: what mail systems report about letters, and what becomes of subscriptions by it.

Readers of mail and of providers' webhooks (`app.feedback`) make a `Report` each; what a report does is decided here
and nowhere else. The same report twice does nothing more.
"""

from app.subscriptions.feedback import codes
from app.subscriptions.feedback.reports import FeedbackReport, Kind, Outcome, Report, about_letter, fingerprint, purge
from app.subscriptions.feedback.taking import take

__all__ = ["FeedbackReport", "Kind", "Outcome", "Report", "about_letter", "codes", "fingerprint", "purge", "take"]
