"""The text of a letter: rendered once for all letters that differ in nothing but their link and their code.

Invariant: a kept text serves many people. Link and code are placeholders in it; a letter that states more about one
person is rendered for itself.
"""

import hashlib
import secrets
from dataclasses import dataclass, fields
from datetime import datetime, timedelta, tzinfo
from functools import cache, lru_cache
from itertools import accumulate

from flask import current_app, render_template
from flask_babel import force_locale, get_timezone
from markupsafe import escape

from app.links import Links
from app.mail.owed import AddressChangeDetails, Owed
from app.subscriptions.stated_requests import Origin

PARTS = ("subject.txt", "body.txt", "body.html")
LINK, CODE = (f"{name}-{secrets.token_hex(16)}" for name in ("link", "code"))
"""Placeholders that nobody can have written into a title, or into the address of a page."""
ROOM_FOR_TITLES = 150
"""Characters, in a subject: spam filters count one of more than 200 against its sender."""
PURGED_WITHIN = timedelta(hours=1)
"""A worker erases each minute. A letter names a day, which must not be that of a moment before midnight."""
MOST = 500
"""Kept texts. Each newsletter, language and form has its own for each minute that a letter states."""


@dataclass(frozen=True, slots=True)
class LetterText:
    subject: str
    text: str
    html: str
    template_sha256: str
    masked_sha256: str
    """Of the parts with link and code masked: evidence of the letter must not be usable to confirm it."""

    def filled_in(self, link: str, code: str) -> tuple[str, str]:
        """Text and HTML with this link and code."""
        html = self.html.replace(LINK, str(escape(link))).replace(CODE, str(escape(code)))
        return self.text.replace(LINK, link).replace(CODE, code), html


@dataclass(frozen=True, slots=True)
class _Signature:
    name: str
    address: str
    email: str


@dataclass(frozen=True, slots=True)
class _Statement:
    """All that a letter states besides link and code: letters with equal statements have equal texts."""

    kind: str
    language: str
    timezone: tzinfo
    controller: _Signature
    titles: tuple[str, ...]
    purposes: tuple[str, ...]
    asked_at: datetime
    asked_from: str | None
    expires_at: datetime
    erased_by: datetime
    """When the address is gone if nobody presses."""
    code: str | None
    move: AddressChangeDetails | None
    origin: Origin
    notice: str
    """The URL of the privacy notice."""


def write(owed: Owed, links: Links, expires_at: datetime) -> LetterText:
    """The letter's text, in its own language. Within an application context."""
    language = owed.letter.language
    words = [each.words([language]) for each in owed.newsletters.values()]
    statement = _Statement(
        kind=owed.letter.kind,
        language=language,
        timezone=get_timezone(),
        controller=_Signature(owed.controller.name, owed.controller.address, owed.controller.email),
        titles=tuple(each.title for each in words),
        purposes=tuple(each.purpose for each in words),
        asked_at=_to_the_minute(owed.letter.created_at),
        asked_from=owed.letter.asked_from,
        expires_at=_to_the_minute(expires_at),
        erased_by=_to_the_minute(expires_at + _kept_longer(owed) + PURGED_WITHIN),
        # Without a form id, no open page would accept the code.
        code=CODE if owed.letter.form_id else None,
        move=owed.move,
        origin=owed.origin,
        notice=links.notice([each.slug for each in owed.newsletters.values()], language),
    )
    return _render(statement) if owed.move else _kept(statement)


def _render(statement: _Statement) -> LetterText:
    stated = {each.name: getattr(statement, each.name) for each in fields(statement)}

    def part(name: str, **also: str) -> str:
        return render_template(f"letters/{statement.kind}/{name}", **stated, **also, link=LINK)

    with force_locale(statement.language):
        subject = part("subject.txt", named=_named(statement.titles)).strip()
        text, html = part("body.txt"), part("body.html", subject=subject)
    masked = "\n".join((subject, text, html)).replace(LINK, "…").replace(CODE, "…")
    return LetterText(subject, text, html, _template_sha256(statement.kind), _sha256(masked))


def _named(titles: tuple[str, ...]) -> str:
    """For the subject: as many titles as there is room for, and the first one at any length."""
    lines = [*accumulate(titles, "{}, {}".format)]
    shown = [line for line in lines if len(line) <= ROOM_FOR_TITLES] or lines[:1]
    return shown[-1] if shown[-1] == lines[-1] else f"{shown[-1]}, …"


_kept = lru_cache(MOST)(_render)


def _kept_longer(owed: Owed) -> timedelta:
    """How long an address that nobody confirms is kept once the link of its letter has expired."""
    if owed.move:
        return timedelta()
    return max(each.purge_pending_after for each in owed.newsletters.values())


def _to_the_minute(instant: datetime) -> datetime:
    """Letters state no seconds."""
    return instant.replace(second=0, microsecond=0)


@cache
def _template_sha256(kind: str) -> str:
    loader = current_app.jinja_env.loader
    assert loader is not None
    sources = (loader.get_source(current_app.jinja_env, f"letters/{kind}/{part}")[0] for part in PARTS)
    return _sha256("\n".join(sources))


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
