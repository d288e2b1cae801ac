"""Who sent a mail: a mail system, a program that answers for somebody, or a person.

Invariant: nothing is a bounce that does not come from a mail system. Absences, challenges and people quote codes and
words of bounces too.
"""

import re

from app.feedback.parsers.mail import HEADS, Mail, headers

_DAEMON = re.compile(
    r"mailer[-_. ]?daemon|mail[-_. ]?daemon|mdaemon|post[-_]?master|mail[-_. ]deliver\w*[-_. ](?:sub)?system"
    r"|(?:system|mail|e-?mail) administrator|microsoftexchange[0-9a-f]{32}",
    re.IGNORECASE,
)
"""No standard names the sender of a bounce; these are in use."""
_BRACKETED = re.compile(r"<([^<>]*)>")
_COMMENT = re.compile(r"\([^()]*\)")
_NULL = re.compile(r"<\s*>|<?mailer-daemon\b[^\s>]*>?", re.IGNORECASE)
_FAILURE = re.compile(
    r"undeliver|not (?:be )?delivered|delivery (?:status|failure|problem|error|report)|delivery (?:has )?failed"
    r"|returned (?:e-?)?mail|returning|failure (?:notice|notification)|mail (?:failure|failed|error)|non-?delivery",
    re.IGNORECASE,
)
_REPLY = re.compile(r"(?:re|aw|antw|sv|vs|fwd?|wg)\s*:", re.IGNORECASE)
_AUTOMATIC = (
    "Precedence",
    "X-Autoreply",
    "X-Autorespond",
    "X-Autoresponder",
    "X-Auto-Response-Suppress",
    "X-Vacation",
)
"""Set by programs that answer for somebody, besides Auto-Submitted; by bounces, rarely."""


def is_mail_system(mail: Mail) -> bool:
    """A null sender alone is not enough: absences have it too (RFC 3834 section 3.3)."""
    name, address = _author(mail)
    is_null = has_null_sender(mail)
    if _DAEMON.search(address.rpartition("@")[0] or address):
        return not _is_reply(mail)
    if not address:
        return is_null or _tells_failure(mail)
    if not is_null or _DAEMON.search(name):
        return is_null
    signs = (_tells_failure(mail), _returns_letter(mail))
    return not answers_for_somebody(mail) and (all(signs) if is_automatic(mail) else any(signs))


def has_null_sender(mail: Mail) -> bool:
    """RFC 5321 section 4.5.5; Postfix and Sendmail note their own name for it."""
    return any(_NULL.fullmatch(each) for each in headers(mail.message, "Return-Path"))


def answers_for_somebody(mail: Mail) -> bool:
    """An absence, a ticket number, a challenge."""
    return any(mail.header(name) for name in _AUTOMATIC)


def is_automatic(mail: Mail) -> bool:
    """No person wrote it (RFC 3834 section 5)."""
    return any(not each.lower().startswith("no") for each in headers(mail.message, "Auto-Submitted"))


def _author(mail: Mail) -> tuple[str, str]:
    """Name and address, roughly: Python's parser follows nested comments, however deep."""
    said = mail.header("From")
    found = _BRACKETED.search(said)
    if found:
        return said[: found.start()], found[1]
    return " ".join(_COMMENT.findall(said)), _COMMENT.sub("", said).strip()


def _is_reply(mail: Mail) -> bool:
    """A postmaster is a person, too; mail programs of people name the whole thread."""
    return _REPLY.match(mail.header("Subject")) is not None and bool(mail.header("References"))


def _tells_failure(mail: Mail) -> bool:
    subject = mail.header("Subject")
    return _FAILURE.search(subject) is not None and not _REPLY.match(subject)


def _returns_letter(mail: Mail) -> bool:
    return bool(mail.part("message/rfc822", *HEADS) or mail.header("X-Failed-Recipients"))
