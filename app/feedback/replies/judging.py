"""Finds the row that fits: words about others first, then words and codes about the mailbox, then the basic code."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache

from app.feedback.replies import about_mailbox, about_others, by_code
from app.feedback.replies.meanings import About, Meaning, Row
from app.feedback.replies.reply import Reply, Stage, read
from app.feedback.report import FeedbackKind

TABLES = (
    (by_code.SENDER,),
    by_code.OTHERS[1:],
    by_code.SIZE_OR_FULL,
    by_code.GONE,
    by_code.DISABLED,
    by_code.UNAVAILABLE,
    by_code.TO_US_BEFORE_CONTENT,
    about_others.OUR_ACCOUNT,
    about_others.ROWS,
    about_others.UNEXPLAINED,
    about_mailbox.FULL,
    about_mailbox.SUSPENDED,
    about_mailbox.GONE,
    about_mailbox.WITH_CODE,
    about_mailbox.INACTIVE,
    about_mailbox.UNREACHABLE,
)
_SHOWN = 200
"""Characters of a reply of which no words decided."""


@dataclass(frozen=True, slots=True)
class ReplyVerdict:
    meaning: Meaning
    source: str
    """Of the row that decided."""
    words: str = ""
    """Those that decided, else the reply's beginning; without an address, but maybe with a name."""
    code: str = ""
    """The code that it goes by: an enhanced one, else the basic one, else empty."""
    is_decided: bool = True
    """A row fits; else it is the likeliest guess."""

    @property
    def about(self) -> About:
        return self.meaning.about

    @property
    def kind(self) -> FeedbackKind:
        return FeedbackKind.HARD_BOUNCE if self.is_gone else FeedbackKind.SOFT_BOUNCE

    @property
    def is_gone(self) -> bool:
        return self.meaning is Meaning.GONE

    @property
    def counts(self) -> bool:
        """Whether a soft bounce counts towards giving the mailbox up."""
        return self.about is About.MAILBOX


def judge(code: int | None, status: str, words: str, stage: Stage | None = None) -> ReplyVerdict:
    """`words`: the reply, which may begin with its codes; `code`: its basic code, if it is known apart.

    `status`: an enhanced code that somebody else gave, such as Status in a report. `stage`: of a reply to us.
    """
    reply = read(code, status, words, stage)
    found = next(_fitting(reply))
    if found.is_gone and not reply.is_lasting:
        found = replace(found, meaning=Meaning.UNAVAILABLE)
    has_said = reply.enhanced and (found.is_gone or not reply.is_made_up)
    goes_by = reply.enhanced if has_said else str(reply.code or "")
    return replace(found, code=goes_by, words=found.words or reply.words[:_SHOWN])


@cache
def vocabulary() -> frozenset[str]:
    """The words that the rows look for."""
    patterns = [row.pattern.pattern for rows in TABLES for row in rows]
    return frozenset(word for each in patterns for word in re.findall(r"[a-z]{3,}", re.sub(r"\\.", " ", each).lower()))


def _fitting(reply: Reply) -> Iterator[ReplyVerdict]:
    """Best first, and at least one."""
    yield from _about_others(reply)
    yield from _of_words(reply, about_mailbox.FULL + about_mailbox.SUSPENDED)
    yield from _of_codes(reply, by_code.SIZE_OR_FULL)
    yield from _of_words(reply, about_mailbox.GONE)
    yield from _of_both(reply, about_mailbox.WITH_CODE)
    yield from _of_codes(reply, by_code.GONE)
    yield from _of_words(reply, about_mailbox.INACTIVE)
    yield from _of_codes(reply, by_code.DISABLED)
    yield from _of_words(reply, about_mailbox.UNREACHABLE)
    yield from _of_words(reply, about_others.UNEXPLAINED)
    if not reply.is_late:
        yield from _of_codes(reply, by_code.UNAVAILABLE)
    yield from _guess(reply)


def _about_others(reply: Reply) -> Iterator[ReplyVerdict]:
    if reply.code in by_code.TO_US_BASIC:
        yield ReplyVerdict(Meaning.US, "RFC 4954, RFC 3207")
    if reply.is_early:
        yield _of_us_or_sender(reply)
    yield from _of_codes(reply, (by_code.SENDER,))
    if reply.stage and reply.subject not in ("1", "2"):
        yield from _of_words(reply, about_others.OUR_ACCOUNT)
    yield from _of_words(reply, about_others.ROWS)
    yield from _of_codes(reply, by_code.OTHERS)


def _of_us_or_sender(reply: Reply) -> ReplyVerdict:
    rows = [*_of_codes(reply, by_code.OTHERS), *_of_words(reply, about_others.OUR_ACCOUNT + about_others.ROWS)]
    fitting = (each for each in rows if each.about in (About.US, About.SENDER))
    return next(fitting, ReplyVerdict(Meaning.SENDER, "RFC 5321 section 3.3", is_decided=False))


def _of_codes(reply: Reply, rows: tuple[Row, ...]) -> Iterator[ReplyVerdict]:
    if not reply.is_made_up:
        yield from (ReplyVerdict(row.meaning, row.source) for row in rows if row.pattern.fullmatch(reply.enhanced))


def _of_words(reply: Reply, rows: tuple[Row, ...]) -> Iterator[ReplyVerdict]:
    for row in rows:
        if match := row.pattern.search(reply.words):
            yield ReplyVerdict(row.meaning, row.source, match[0])


def _of_both(reply: Reply, rows: tuple[Row, ...]) -> Iterator[ReplyVerdict]:
    for row in rows:
        if match := row.pattern.match(f"{reply.enhanced} {reply.words}"):
            yield ReplyVerdict(row.meaning, row.source, match[0].partition(" ")[2])


def _guess(reply: Reply) -> Iterator[ReplyVerdict]:
    if reply.stage not in (None, Stage.CONTENT):
        yield from _of_codes(reply, by_code.TO_US_BEFORE_CONTENT)
    may_be_mailbox = reply.stage is Stage.RCPT or not reply.code or reply.code in by_code.MAILBOX_BASIC
    if may_be_mailbox and not (reply.subject or reply.is_late):
        yield ReplyVerdict(Meaning.UNAVAILABLE, "RFC 5321 section 4.2.3", is_decided=False)
    yield ReplyVerdict(Meaning.LETTER, "RFC 3463", is_decided=False)
