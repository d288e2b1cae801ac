"""Mails to an unsubscribe address: which of them ask to leave.

The signed address outweighs Auto-Submitted: Apple Mail sets it when somebody presses "unsubscribe".
"""

from app.feedback import FeedbackKind
from app.feedback.parsers import origin
from app.feedback.parsers.mail import Mail
from app.feedback.parsers.reading import MailReading
from app.links import UNSUBSCRIBE_SUBJECT


def read(mail: Mail) -> MailReading:
    return MailReading("unsubscribe", FeedbackKind.UNSUBSCRIBE if _asks(mail) else None)


def looks_like(mail: Mail) -> bool:
    """Whatever its address: a mail program wrote it for somebody who pressed "unsubscribe"."""
    return bool(mail.header("X-Apple-Unsubscribe")) or mail.header("Subject").lower() == UNSUBSCRIBE_SUBJECT


def _asks(mail: Mail) -> bool:
    """An absence, a challenge or a bounce does not."""
    if origin.is_mail_system(mail) or origin.has_null_sender(mail) or origin.answers_for_somebody(mail):
        return False
    return not origin.is_automatic(mail) or looks_like(mail)
