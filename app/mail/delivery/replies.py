"""Classifies the reply of a mail server: is it about us, our envelope sender, the mailbox, or the letter?

A reply about us (login, relaying, a blocklist, the quota of our account) would meet every letter. If it were recorded
for the recipient, people would lose their subscriptions because of our configuration. So a reply about the mailbox is
believed only if it says so, and the text decides if the code is ambiguous (`550 5.7.1` stands for all four).

Invariant: a reply to MAIL is never about the mailbox or the letter, of which the server knows nothing yet. Addresses in
the text are passed over: a stranger chooses the recipient's, and so must not choose the words that are looked for.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum, StrEnum, auto

from app.feedback import smtp_status


class Stage(StrEnum):
    MAIL = "MAIL"
    RCPT = "RCPT"
    DATA = "DATA"
    CONTENT = "content"
    """Behind the final dot."""


class About(Enum):
    US = auto()
    SENDER = auto()
    """The envelope sender: another one may be accepted."""
    MAILBOX = auto()
    LETTER = auto()


_ADDRESS = re.compile(r"<[^<>]*>|\S+@\S+")
_US_CODES = frozenset({503, 530, 534, 535, 538})
"""No TLS, no login, a wrong one, a sequence that the server does not allow (RFC 4954, RFC 3207)."""
_US = re.compile(r"5\.(1\.90|7\.(8|11|13|14|2[0-7]|54|57|64|[5-7]\d\d)|4\.[56])$")
"""RFC 4954, RFC 7372; 5.7.54 to 5.7.7xx and 5.1.90 are Microsoft's, 5.4.5 is Google's daily limit."""
_US_BEFORE_CONTENT = re.compile(r"5\.(7\.[09]|3\.[012]|5\.\d+)$")
"""Behind the content, filters say 5.7.0 and 5.7.9 of the letter."""
_SENDER = re.compile(r"5\.1\.[78]$|5\.7\.60$")
_CLOSED_GROUP = re.compile(r"5\.7\.1[23]\d?$")
"""Microsoft's: only some people may write to this recipient."""
_UNKNOWN_AT_MICROSOFT = re.compile(r"5\.4\.(1|4|310)$")
_OUR_SENDER = re.compile(
    r"not owned by|send ?as ?denied|\bsend as (this|the) (sender|user|address)|sender address rejected"
    r"|\bnot (allowed|permitted|authori[sz]ed) to (send|use)\b[^.;]{0,30}\b(as|from|sender)\b"
    r"|\bsender\b[^.;]{0,30}\bnot (allowed|permitted|authori[sz]ed|accepted|verified)|sender verif(y|ication) failed"
    r"|\bfrom address\b[^.;]{0,30}\b(not|reject)",
    re.IGNORECASE,
)
_OUR_ACCOUNT = re.compile(
    r"\bsubmission ?quota|\boutbound ?spam|\byour account\b|\bmax (emails|defers)\b"
    r"|\b(daily|hourly|sending|message|outgoing|outbound|submission|per (hour|day|minute))\b[^.;]{0,40}\b(limit|quota)"
    r"|\b(limit|quota)\b[^.;]{0,40}\b(daily|hourly|sending|per (hour|day|minute)|(of|for) (this|your) account)"
    r"|\bsending\b[^.;]{0,20}\bpaused|\bunusual sending|\baccount\b[^.;]{0,30}\b(suspended|paused|locked|not active)",
    re.IGNORECASE,
)
_OURS = re.compile(
    r"\brelay(ing)?\b[^;:]{0,40}\b(denied|disallowed|prohibited|not)\b"
    r"|\b(not|unable|cannot|refus\w+|for)( \w+){0,2} relay\b|rcpthosts"
    r"|\bauthenticat\w+[^.;:]{0,30}\b(required|needed|failed|first|unsuccessful)|\bmust[^.;:]{0,20}authenticate"
    r"|\b(un|not( \w+)? )authenticated\b|\bsmtp auth\b[^.;]{0,20}\brequired|\bnot logged in|\bcredentials\b"
    r"|\bstarttls\b[^.;:]{0,30}\b(first|required)|\bauthori[sz]ation failed|\bnot authori[sz]ed to perform"
    r"|\b(client|host|hostname|ip|ip address|helo|ehlo)\b[^.;:]{0,40}\b(blocked|blacklisted|listed|rejected|denied)\b"
    r"|\bip\b[^.;]{0,40}\bnot authori[sz]ed|\binvalid helo|\bpermission to submit"
    r"|\bblocked using\b|\bdnsbl\b|\brbl\b|spamhaus|spamcop|\b(black|block) ?list|\breverse (dns|lookup|hostname)"
    r"|\bptr record|\byour (ip|host|server|network)\b|\btoo many (messages|mails|emails|recipients)"
    r"|\bemail address is not verified|\bidentit(y|ies) failed|\bnot allowed to send:|\bsandbox\b"
    r"|^\W*account\b[^.;]{0,30}\b(disabled|blocked)",
    re.IGNORECASE,
)
_FULL = re.compile(
    r"\b(mailbox|user|inbox|recipient)\b[^.;]{0,40}\b(full|over ?quota|exceed\w*)|\bover ?quota\b|\bmailbox size limit",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class _Reply:
    stage: Stage
    code: int
    enhanced: str
    text: str

    @property
    def subject(self) -> str:
        """Of the enhanced code: 1 is addresses, 2 mailboxes, 7 policy … (RFC 3463 section 3)."""
        is_open = not self.enhanced or self.enhanced in smtp_status.UNSPECIFIC
        return "" if is_open else self.enhanced.split(".")[1]


def about(stage: Stage, code: int, text: str) -> About:
    """`text` is the reply without its code: the enhanced code, if there is one, and the words."""
    words = _ADDRESS.sub(" ", text)
    reply = _Reply(stage, code, smtp_status.specific("", text), words)
    rules = _OF_MAIL if stage is Stage.MAIL else _RULES
    return next(subject for is_so, subject in rules if is_so(reply))


def _is_about_us_by_its_code(reply: _Reply) -> bool:
    comes_early = reply.stage is not Stage.CONTENT
    return bool(_US.match(reply.enhanced) or (comes_early and _US_BEFORE_CONTENT.match(reply.enhanced)))


def _is_about_mailbox_by_its_words(reply: _Reply) -> bool:
    return bool(_FULL.search(reply.text)) or smtp_status.says_gone("", reply.text)


def _is_unknown_at_microsoft(reply: _Reply) -> bool:
    return reply.stage is Stage.RCPT and _UNKNOWN_AT_MICROSOFT.match(reply.enhanced) is not None


_Rules = Sequence[tuple[Callable[[_Reply], object], About]]
_OF_MAIL: _Rules = (
    (lambda reply: _SENDER.match(reply.enhanced) or _OUR_SENDER.search(reply.text), About.SENDER),
    (lambda reply: reply.code in _US_CODES or _is_about_us_by_its_code(reply), About.US),
    (lambda reply: _OUR_ACCOUNT.search(reply.text) or _OURS.search(reply.text), About.US),
    (lambda _reply: True, About.SENDER),
)
_RULES: _Rules = (
    (lambda reply: reply.code in _US_CODES, About.US),
    (lambda reply: reply.enhanced in smtp_status.GONE, About.MAILBOX),
    (lambda reply: _SENDER.match(reply.enhanced) or _OUR_SENDER.search(reply.text), About.SENDER),
    (lambda reply: _US.match(reply.enhanced) or _OUR_ACCOUNT.search(reply.text), About.US),
    (lambda reply: reply.subject in ("1", "2") or _is_unknown_at_microsoft(reply), About.MAILBOX),
    (lambda reply: _CLOSED_GROUP.match(reply.enhanced) or "RESOLVER." in reply.text, About.LETTER),
    (_is_about_mailbox_by_its_words, About.MAILBOX),
    (_is_about_us_by_its_code, About.US),
    (lambda reply: _OURS.search(reply.text), About.US),
    (lambda reply: reply.stage is Stage.RCPT and not reply.subject, About.MAILBOX),
    (lambda _reply: True, About.LETTER),
)
"""The first that fits decides."""
