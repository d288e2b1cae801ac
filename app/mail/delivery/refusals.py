"""From the reply of a mail server to the failure that it means for the letter, for its recipient and for the relay."""

import re
from datetime import timedelta

from app.feedback.replies import About, Stage, judge
from app.mail.delivery.failures import (
    LetterRefused,
    RecipientRefused,
    RelayBusy,
    RelayRefused,
    SenderRefused,
    TemporaryFailure,
    Undelivered,
)

LONGEST_WAIT = timedelta(hours=1)
"""Upper limit of the delay that a server asks for."""
_ENHANCED = re.compile(r"[245]\.\d{1,3}\.\d{1,3}")
_BUSY = re.compile(r"421|4\d\d 4\.3\.[12]$|452 4\.5\.3$|452$")
"""Service not available, system full, not accepting messages, too many recipients (RFC 5321 4.2.3, RFC 3463 3.4)."""
_WAIT = re.compile(rb"\b(\d{1,4}) ?(second|minute)s?\b", re.IGNORECASE)
"""As in "greylisted, try again in 300 seconds"."""


def of(stage: Stage, code: int, reply: bytes) -> Undelivered:
    """The failure, to be raised. `reply` is the text behind the code."""
    told, verdict = codes(code, reply), judge(code, "", reply.decode("utf-8", "replace"), stage)
    if not 500 <= code < 600:
        is_busy = _BUSY.match(told) or (400 <= code < 500 and verdict.about is About.US)
        return (RelayBusy if is_busy else TemporaryFailure)(told, _wait(reply))
    match verdict.about:
        case About.US:
            return RelayRefused(told)
        case About.SENDER:
            return SenderRefused(told)
        case About.MAILBOX:
            return RecipientRefused(told, verdict.kind)
    return LetterRefused(told)


def codes(code: int, reply: bytes) -> str:
    """What is kept of a reply, such as `250 2.0.0`: its text may quote the address."""
    enhanced = _ENHANCED.match(reply.decode("ascii", "replace"))
    return f"{code} {enhanced[0]}" if enhanced else str(code)


def _wait(reply: bytes) -> timedelta:
    named = _WAIT.search(reply)
    if named is None:
        return timedelta()
    unit = timedelta(minutes=1) if named[2].lower() == b"minute" else timedelta(seconds=1)
    return min(int(named[1]) * unit, LONGEST_WAIT)
