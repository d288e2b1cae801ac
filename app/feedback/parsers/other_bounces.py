"""Bounces in no standard form, from older mail systems: the last resort, for a letter proven to be ours."""

import logging
from email import message_from_bytes, policy

from flufl.bounce import all_failures

from app.feedback.parsers import limits
from app.feedback.parsers.dsn import Bounce
from app.feedback.parsers.mail import Mail, headers
from app.feedback.replies import judge

# It would log its input, including addresses, when one of its detectors fails.
logging.getLogger("flufl.bounce").disabled = True


def read(mail: Mail) -> Bounce | None:
    """None if it is no bounce, or only a delay.

    A "permanent" bounce of flufl.bounce means that the letter is lost, not that the mailbox is gone: it includes full
    mailboxes. The mail's text for people decides.
    """
    if mail.is_automatic_reply and not headers(mail.message, "X-Failed-Recipients"):
        return None
    try:
        _, permanent = all_failures(message_from_bytes(limits.excerpt(mail.raw), policy=policy.compat32))
    except Exception:
        # Some detectors rely on headers that a damaged mail does not have.
        return None
    if not permanent:
        return None
    return Bounce.of(judge(None, "", mail.words))
