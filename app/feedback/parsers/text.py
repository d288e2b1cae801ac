"""The verdict of a bounce's text for people: where in it the reason stands."""

import re
from collections.abc import Iterator

from app.feedback.parsers import wording
from app.feedback.parsers.mail import Mail
from app.feedback.replies import ReplyVerdict, judge

_TRANSCRIPT = re.compile(r"^[ \t]*<<<[ \t]*([45]\d\d[ -].*(?:\n[ \t]*<<<[ \t]*[45]\d\d[ -].*)*)", re.MULTILINE)
"""What the other server said, as Sendmail quotes it; its own lines below are made up."""
_FOLLOWS = re.compile(r"503\b|421\b|554[ -]5\.5\.1 Error: no valid")
"""Said because of what was said before."""
_CODE = re.compile(r"(?<![\d.\w/])(?:[45][0-5]\d(?=[ -][^\d\s])|#?[45]\.[0-7]\.\d{1,3}(?![\d.]))")
_ALONE = re.compile(r"^[ \t>*-]{0,8}(?:to:?[ \t]+)?<?([^\s<>@,;:]{1,64}@[^\s<>@,;:]{1,255})>?", re.M | re.I)
"""A line that begins with an address."""
_COMMAND = re.compile(
    r"\bin\s+reply\s+to\s+[^()\n]{2,30}|\bremote (?:mail )?server (?:after|for) [^:]{2,40}|\brefused to talk to me"
)
_LINES = 12
"""Of a reason, which is short."""


def verdict(mail: Mail, status: str = "", address: str = "") -> ReplyVerdict:
    """Of several replies, one that does not say "gone": then nothing is known of the mailbox itself."""
    words = wording.of(mail)
    said = [judge(None, status, each) for each in _transcript(words)]
    if said:
        return next((each for each in said if not each.is_gone), said[0])
    places = [*_places(words, address or _failed(mail, words)), mail.header("Subject")]
    verdicts = [judge(None, status, each) for each in places]
    return next((each for each in verdicts if each.is_decided), verdicts[0])


def command(mail: Mail, address: str) -> str:
    """Which command was refused, as far as the text tells it: a Diagnostic-Code does not."""
    found = _COMMAND.search(_about(wording.of(mail), address))
    return found[0] if found else ""


def quotes_code(words: str) -> bool:
    return _CODE.search(words) is not None


def _transcript(words: str) -> Iterator[str]:
    for match in _TRANSCRIPT.finditer(words):
        lines = [each.strip(" \t<") for each in match[1].split("\n")]
        kept = [each for each in lines if not _FOLLOWS.match(each)]
        if kept:
            yield " ".join(kept)


def _places(words: str, address: str) -> list[str]:
    """Where a reason may stand, best first: about that address and beside a code, beside a code, about it, anywhere."""
    about = _about(words, address)
    return list(dict.fromkeys(filter(None, (_around_code(about), _around_code(words), about, words)))) or [""]


def _failed(mail: Mail, words: str) -> str:
    """Who did not get the letter: by the header of Exim and Google, else by the text."""
    named = mail.header("X-Failed-Recipients").partition(",")[0].strip()
    found = _ALONE.search(words)
    return named or (found[1] if found else "")


def _about(words: str, address: str) -> str:
    """From the line where the address stands for the first time."""
    start = words.lower().find(address.lower()) if address else -1
    return _lines(words, words.rfind("\n", 0, start) + 1) if start >= 0 else words


def _around_code(words: str) -> str:
    """The paragraph that holds a code: Sendmail's local mailers write their reason above it."""
    found = _CODE.search(words)
    return _lines(words, words.rfind("\n\n", 0, found.start()) + 1) if found else ""


def _lines(words: str, start: int) -> str:
    return "\n".join(words[start:].lstrip("\n").split("\n")[:_LINES])
