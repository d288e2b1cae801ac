"""Bounces in no standard form, as older mail systems write them: the last resort, for a letter that is proven ours."""

import logging
from email import message_from_bytes, policy

from flufl.bounce import all_failures

from app.feedback import smtp_status
from app.feedback.parsers import limits
from app.feedback.parsers.dsn import Bounce
from app.feedback.parsers.mail import Mail, headers

# It would log what it reads, addresses among them, when one of its detectors stumbles.
logging.getLogger("flufl.bounce").disabled = True


def read(mail: Mail) -> Bounce | None:
    """None where it is no bounce, or only a delay.

    That flufl.bounce calls a bounce permanent says that the letter is lost, not that the mailbox is: it counts a full
    one among them. What the mail says to people decides.
    """
    if mail.is_automatic_reply and not headers(mail.message, "X-Failed-Recipients"):
        return None
    try:
        _, permanent = all_failures(message_from_bytes(limits.excerpt(mail.raw), policy=policy.compat32))
    except Exception:
        # Some detectors lean on headers that a damaged mail does not have.
        return None
    if not permanent:
        return None
    code = smtp_status.specific("", mail.words)
    return Bounce(smtp_status.kind(code, mail.words), code)
