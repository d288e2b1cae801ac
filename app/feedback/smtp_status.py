"""What a refusal says: that there is no such mailbox, or only that this letter did not get through.

Wrongly taken for gone, somebody loses what they subscribed to; wrongly taken for passing, one more letter goes to
nobody. So only what is known to mean "no such mailbox" counts at once; the rest is counted, and what is about the
sender or the content not even that.
"""

import re

from app.feedback.report import FeedbackKind

GONE = {
    "5.1.1": "no such mailbox (RFC 3463)",
    "5.1.2": "no such system (RFC 3463)",
    "5.1.3": "not an address there (RFC 3463)",
    "5.1.6": "moved, and left no address (RFC 3463)",
    "5.1.10": "the domain takes no mail at all (RFC 7505)",
    "5.2.1": "disabled (RFC 3463)",
}
UNSPECIFIC = ("", "5.0.0", "5.1.0")
"""Then only the words tell. Exim gives no other; and 550 alone also means "on a blacklist" (RFC 5321 section 4.2.3)."""

_NO_SUCH_MAILBOX = re.compile(
    r"\b(unknown|invalid|no such|non-?existent) (local[ -])?(user|part|recipient|mailbox|address|account)"
    r"|\b(user|recipient|mailbox|address|account)\b(?:[^.;\n]|\.\b){0,80}"
    r"\b(unknown|not found|not exist|n't exist|is disabled)"
    r"|\bunrouteable address|\bno mailbox here|\bunknown\s*$"
    # A null MX, in the words of Postfix and of Exim.
    r"|\bdoes not accept mail|\bindicated no smtp service",
    re.IGNORECASE,
)
_TOO_FAST = re.compile(r"\b(too quickly|too fast|at a rate)\b", re.IGNORECASE)
_ENHANCED = re.compile(r"(?<![\d.])([245]\.\d{1,3}\.\d{1,3})(?!\.?\d)")
_ABOUT_MAILBOX = ("1", "2", "4")
_ABOUT_SENDER = ("5.1.7", "5.1.8")


def kind(code: str, text: str = "") -> FeedbackKind:
    """Hard or soft. `code` is the enhanced status code, or empty; `text` is what else the server said."""
    enhanced = specific(code, text)
    if enhanced in GONE:
        # Google's 5.2.1 is also for who gets too many letters at the moment.
        return FeedbackKind.SOFT_BOUNCE if _TOO_FAST.search(text) else FeedbackKind.HARD_BOUNCE
    says_gone = enhanced in UNSPECIFIC and _NO_SUCH_MAILBOX.search(text)
    return FeedbackKind.HARD_BOUNCE if says_gone else FeedbackKind.SOFT_BOUNCE


def specific(code: str, text: str) -> str:
    """The enhanced code that says most: many gateways put 5.0.0 before what the other server really said."""
    found = [match[1] for match in map(_ENHANCED.match, (code.strip(),)) if match] + _ENHANCED.findall(text)
    return next((each for each in found if each not in UNSPECIFIC), found[0] if found else "")


def is_about_mailbox(code: str) -> bool:
    """Whether a soft bounce counts: full, disabled for now, not reachable. Not policy, content, or the sender."""
    enhanced = specific("", code)
    return not enhanced or (enhanced.split(".")[1] in _ABOUT_MAILBOX and enhanced not in _ABOUT_SENDER)
