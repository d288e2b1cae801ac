"""Which language a reader is answered in.

The one asked for, in the URL or by the form; else what is stored of the person; else what their browser asks for;
else the first of the newsletter that the page is about; else English. A tag that means nothing to us is passed over.
"""

from collections.abc import Iterator, Sequence
from typing import cast

from babel import Locale
from flask import g, request
from flask_babel import get_locale, refresh
from werkzeug.exceptions import HTTPException

from app.newsletters.definitions import LANGUAGES, Newsletter

FALLBACK = "en"
"""What pages and letters are written in, before translation."""

_LOCALES = {language: Locale.parse(language) for language in LANGUAGES}
NAMES = {language: str(locale.get_language_name(language)).capitalize() for language, locale in _LOCALES.items()}
"""What each language calls itself."""


def use(tag: str | None) -> None:
    """From here on answer in the language that the person chose earlier, rather than in their browser's."""
    g.language = tag
    g.pop("preferred", None)
    refresh()


def about(newsletters: Sequence[Newsletter]) -> None:
    """From here on a reader whose languages we do not know is answered in the first newsletter's own."""
    g.newsletters_language = newsletters[0].languages[0]
    refresh()


def preferred() -> tuple[str, ...]:
    """The reader's languages, best first, as two or three letters."""
    if "preferred" not in g:
        g.preferred = tuple(_short(tag) for tag in _wishes() if tag)
    return cast(tuple[str, ...], g.preferred)


def choose() -> Locale:
    """For Flask-Babel: the language of pages."""
    return _LOCALES[chosen()]


def chosen() -> str:
    """The language of pages, one of `LANGUAGES`."""
    wanted = [*preferred(), g.get("newsletters_language")]
    return next((language for language in wanted if language in LANGUAGES), FALLBACK)


def direction() -> str:
    """`ltr` or `rtl`: which way the language of the page is written."""
    return str((get_locale() or _LOCALES[FALLBACK]).text_direction)


def asked() -> str | None:
    """What the URL asks for, as far as we speak it: links and forms lead on in the same language."""
    tag = _short(request.args.get("language", "")) if request and request.query_string else ""
    return tag if tag in LANGUAGES else None


def _wishes() -> Iterator[str | None]:
    yield asked()
    yield _asked_by_form()
    yield g.get("language")
    yield from (tag for tag, _quality in request.accept_languages)


def _short(tag: str) -> str:
    return tag.replace("_", "-").partition("-")[0].lower()


def _asked_by_form() -> str | None:
    if request.method != "POST" or request.is_json:
        return None
    try:
        return request.form.get("language")
    except HTTPException:  # too big, which is for whoever reads the other fields to say
        return None
