"""The language of an answer.

In this order: that of the body, the URL's, the person's stored language, the browser's, the first language of the
newsletter that the page is about, English. Unknown tags are ignored. Answers of the API speak English: its messages are
for those who write programs, and one answer speaks one language.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import cast

from babel import Locale
from flask import g, request
from flask_babel import get_locale, refresh
from werkzeug.exceptions import HTTPException

from app.newsletters.definitions import LANGUAGES, Newsletter

FALLBACK = "en"
"""The source language of pages and letters, before translation."""

IN_ENGLISH = "/api/"

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
    return _LOCALES[FALLBACK if request and request.path.startswith(IN_ENGLISH) and not _is_page() else chosen()]


def _is_page() -> bool:
    """A receipt to print, which is for a person."""
    return request.accept_mimetypes.best_match(["application/json", "text/html"]) == "text/html"


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
    yield _asked_by_body()
    yield asked()
    yield g.get("language")
    yield from (tag for tag, _quality in request.accept_languages)


def _short(tag: str) -> str:
    return tag.replace("_", "-").partition("-")[0].lower()


def _asked_by_body() -> str | None:
    if request.method != "POST":
        return None
    try:
        sent = request.get_json(silent=True) if request.is_json else request.form
    except (HTTPException, RecursionError):  # the code that reads the other fields reports it
        return None
    tag = sent.get("language") if isinstance(sent, Mapping) else None
    return tag if isinstance(tag, str) else None
