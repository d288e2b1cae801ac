"""Classifies an SMTP refusal: there is no such mailbox, or only this letter did not get through.

If an existing mailbox is taken for gone, a person loses their subscriptions; if a gone one is taken for existing, one
more letter goes to nobody. So only replies known to mean "no such mailbox" count at once; the rest is counted, except
replies about the sender or the content.
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
"""Only the text decides. Exim gives no other; and 550 alone also means "on a blacklist" (RFC 5321 section 4.2.3)."""

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
    """Hard or soft. `code` is the enhanced status code, or empty; `text` is the rest of the reply."""
    enhanced = specific(code, text)
    if enhanced in GONE:
        # Google's 5.2.1 is also for a mailbox that gets too many letters at the moment.
        return FeedbackKind.SOFT_BOUNCE if _TOO_FAST.search(text) else FeedbackKind.HARD_BOUNCE
    return FeedbackKind.HARD_BOUNCE if says_gone(enhanced, text) else FeedbackKind.SOFT_BOUNCE


def says_gone(enhanced: str, text: str) -> bool:
    """Whether the text says that there is no such mailbox; a specific code wins over it."""
    return enhanced in UNSPECIFIC and _NO_SUCH_MAILBOX.search(text) is not None


def specific(code: str, text: str) -> str:
    """The most specific enhanced code: many gateways put 5.0.0 before the code of the other server."""
    found = [match[1] for match in map(_ENHANCED.match, (code.strip(),)) if match] + _ENHANCED.findall(text)
    return next((each for each in found if each not in UNSPECIFIC), found[0] if found else "")


def is_about_mailbox(code: str) -> bool:
    """Whether a soft bounce counts: full, disabled for now, not reachable. Not policy, content, or the sender."""
    enhanced = specific("", code)
    return not enhanced or (enhanced.split(".")[1] in _ABOUT_MAILBOX and enhanced not in _ABOUT_SENDER)
