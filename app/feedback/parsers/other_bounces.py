"""Bounces in no standard form: the reason is in the text for people, before the letter that is returned."""

import re

from app.feedback.parsers import origin, text, wording
from app.feedback.parsers.mail import Mail
from app.feedback.parsers.reading import MailReading

_DELAYED = re.compile(
    r"warning (?:message )?only|do not need to re-?send|\bwill (?:be )?(?:retr|keep trying|continue)|will try again"
    r"|(?:has been|is|was|message) delayed|delayed (?:by|\d)|not yet been delivered|temporary failure report"
    r"|still (?:being )?(?:retried|trying|undelivered|awaiting|in the queue)|delivery attempts will continue",
    re.IGNORECASE,
)
_FAILED = re.compile(
    r"undeliver|not (?:be )?(?:delivered|sent)|(?:un|not )able to (?:be )?deliver|deliver\w*[^.]{0,30}\bfail"
    r"|fail\w*[^.]{0,30}\bdeliver|returned (?:e-?)?mail|return(?:ing|ed) (?:to|message)|returned because|was aborted"
    r"|(?:fatal|permanent|delivery|system) (?:error|failure)|non-?delivery|could ?n[o']t (?:be )?deliver|rejected"
    r"|failure notice|failed mail|mail (?:delivery )?(?:failed|failure|error)|failed recipient|unzustellbar",
    re.IGNORECASE,
)


def read(mail: Mail) -> MailReading | None:
    """None if it is no bounce, or only a delay."""
    if not origin.is_mail_system(mail):
        return None
    said = f"{mail.header('Subject')}\n{wording.of(mail)}"
    if _DELAYED.search(said):
        return None
    verdict = text.verdict(mail)
    if verdict.is_gone or text.quotes_code(said) or _FAILED.search(said):
        return MailReading.of("text", verdict)
    return None
