"""The language of an answer.

In this order: the URL's, the form's, the person's stored language, the browser's, the first language of the
newsletter that the page is about, English. Unknown tags are ignored.
"""

from collections.abc import Iterator, Sequence
from typing import cast

from babel import Locale
from flask import g, request
from flask_babel import get_locale, refresh
from werkzeug.exceptions import HTTPException

from app.newsletters.definitions import LANGUAGES, Newsletter

FALLBACK = "en"
"""The source language of pages and letters, before translation."""

_LOCALES = {language: Locale.parse(language) for language in LANGUAGES}
NAMES = {language: str(locale.get_language_name(language)).capitalize() for language, locale in _LOCALES.items()}
"""Each language's name in that language."""


def use(tag: str | None) -> None:
    """From here on prefer the language that the person chose earlier to their browser's."""
    g.language = tag
    g.pop("preferred", None)
    refresh()


def about(newsletters: Sequence[Newsletter]) -> None:
    """From here on fall back to the first newsletter's own language, for a reader whose languages are unknown."""
    g.newsletters_language = newsletters[0].languages[0]
    refresh()


def preferred() -> tuple[str, ...]:
    """The reader's languages, best first, as tags of two or three letters."""
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
    """`ltr` or `rtl`: the direction in which the page's language is written."""
    return str((get_locale() or _LOCALES[FALLBACK]).text_direction)


def asked() -> str | None:
    """The URL's language if it is one of `LANGUAGES`: links and forms on the page carry it on."""
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
    except HTTPException:  # too large: the code that reads the other fields reports it
        return None
