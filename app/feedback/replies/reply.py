"""A reply of a mail server in its three parts: basic code (RFC 5321), enhanced code (RFC 3463), words.

Words are stripped of what a stranger chooses: addresses, links, names of machines. Such a name must decide nothing.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

LONGEST = 2000
"""Characters that are looked at: a reply has few lines, of at most 512 octets each (RFC 5321 section 4.5.3.1.5)."""
UNSPECIFIC = frozenset({"", "2.0.0", "4.0.0", "5.0.0", "4.1.0", "5.1.0"})
"""Say nothing. Exim gives no other for its own findings, and many gateways put one before the other server's."""


class Stage(StrEnum):
    """What a reply of our own relay answers."""

    MAIL = "MAIL"
    RCPT = "RCPT"
    DATA = "DATA"
    CONTENT = "content"
    """Behind the final dot."""


@dataclass(frozen=True, slots=True)
class Reply:
    code: int
    """The basic code; 0 if there is none."""
    enhanced: str
    """The most specific enhanced code; empty if there is none."""
    is_made_up: bool
    """The server gave no enhanced code: whoever passed its reply on derived one from the basic code."""
    words: str
    stage: Stage | None
    """If it is a reply to us."""
    is_early: bool
    """It came before the server knew of the recipient: to the connection, to HELO or to MAIL."""
    is_late: bool
    """It came when the server had seen the content."""

    @property
    def is_lasting(self) -> bool:
        return self.code // 100 != 4 and not self.enhanced.startswith("4")

    @property
    def subject(self) -> str:
        """Of the enhanced code: 1 is addresses, 2 mailboxes, 7 policy … (RFC 3463 section 3). Empty if it is open."""
        is_open = self.is_made_up or self.enhanced in UNSPECIFIC
        return "" if is_open else self.enhanced.split(".")[1].replace("0", "")


_BASIC = re.compile(r"(?<![\d.#-])([45][0-5]\d)(?=[ -]|$)(?! ?(?:bytes|seconds|minutes|hours|days|KB)\b)")
_ENHANCED = re.compile(r"(?<![\d.])([245]\.\d\.\d{1,3})(?!\.?\d)")
_CODES = re.compile(r"(?<![\d.])(?:[245][0-5]\d(?=[ -]|$)[ -]?)?(?:#?[245]\.\d\.\d{1,3}(?!\.?\d))?")
_LINK = re.compile(r"\bhttps?:\s?//\S+|\bwww\.\S+", re.IGNORECASE)
_QUOTED = re.compile(r"\W*[45]\.\d\.\d - [A-Z][a-z ]+ ((?:[45]\d\d-?)? ?'.*)")
_LISTED = re.compile(r"spamhaus|spamcop|barracuda|\brbl\b|(?:black|block|deny)-?list", re.IGNORECASE)
"""Links to what a list of senders says of an address."""
_ADDRESS = re.compile(r"<[^<>]*>|[^\s:<>]{1,128}@[^\s:;,<>()]+")
_MACHINE = re.compile(r"\b(?:host|server|mta|from)\s+[\w.-]+\s*[\[(][\w.:]+[\])](?:\s+said:)?", re.IGNORECASE)
_NETWORK = re.compile(
    r"[\[(]?\b\d{1,3}(?:\.\d{1,3}){3}\b[\])]?|\[?\b[0-9a-f]{1,4}(?::[0-9a-f]{0,4}){3,}\]?", re.IGNORECASE
)
_EARLY = re.compile(
    r"\b(?:reply to|after|rejected|response to) (?:pipelined )?(?:MAIL|HELO|EHLO)\b|\[MAIL.FROM\]|refused to talk to me"
    r"|after initial connection|my name was rejected|^\W*MAIL FROM\b",
    re.IGNORECASE,
)
_LATE = re.compile(
    r"\b(?:reply to|after) (?:the )?(?:end of )?DATA\b|\bfor TEXT command|after I sent the message", re.IGNORECASE
)
"""In the words of Postfix, Exim, qmail, GMX and Yahoo, who tell which command was refused."""


def has_code(text: str) -> bool:
    bare = _bare(text)
    return bool(_BASIC.search(bare) or _ENHANCED.search(bare))


def read(code: int | None, status: str, text: str, stage: Stage | None = None) -> Reply:
    """`text` is the rest of the reply, or a Diagnostic-Code (RFC 3464 section 2.3.6), which may hold both codes.

    `status` is what somebody else made of it, such as Status in a report; the reply itself outweighs it.
    """
    text = _innermost(" ".join(text[:LONGEST].split()))
    bare = _bare(text)
    basic = code or next((int(match[1]) for match in _BASIC.finditer(bare)), 0)
    said = _ENHANCED.findall(bare)
    passed_on = _ENHANCED.findall(status)
    return Reply(
        code=basic,
        enhanced=_specific([*said, *passed_on]),
        is_made_up=not said and basic > 0 and code is None,
        words=_words(bare),
        stage=stage,
        is_early=stage is Stage.MAIL or _EARLY.search(bare) is not None,
        is_late=stage is Stage.CONTENT or _LATE.search(bare) is not None,
    )


def _innermost(text: str) -> str:
    """Cisco's gateways put what they make of a reply before it, and the reply into quotes."""
    quoted = _QUOTED.match(text)
    return quoted[1] if quoted else text


def _bare(text: str) -> str:
    return _ADDRESS.sub(" ", _LINK.sub(lambda link: " blocklist " if _LISTED.search(link[0]) else " ", text))


def _specific(codes: list[str]) -> str:
    return next((each for each in codes if each not in UNSPECIFIC), codes[0] if codes else "")


def _words(text: str) -> str:
    """Without codes, which stand between words where a reply had several lines."""
    named = _NETWORK.sub(" ", _MACHINE.sub(" ", text))
    named = named.replace("_", " ").replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
    return " ".join(_CODES.sub("", named).split())
