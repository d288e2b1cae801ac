"""Template filters and globals: instants and languages in the reader's form, and the head of the page."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any
from urllib.parse import urlencode

from babel import Locale, lists
from babel.dates import get_timezone_name
from flask import Flask, request
from flask_babel import format_date, format_datetime, get_locale, get_timezone

from app.newsletters import durations
from app.web import language, page_header

KEPT_ARGUMENTS = ("also", "attempt", "mailbox", "some")
"""Query arguments that links to other languages keep, because the page depends on them. All others are dropped."""


def register(app: Flask) -> None:
    app.jinja_env.filters["moment"] = moment
    app.jinja_env.filters["day"] = day
    app.jinja_env.filters["duration"] = lambda length: durations.in_words(
        length, str(get_locale() or language.FALLBACK)
    )
    app.jinja_env.filters["listing"] = listing
    app.jinja_env.globals.update(masthead_of=page_header.of, notice_of=page_header.notice_of)
    app.jinja_env.trim_blocks = True
    app.jinja_env.lstrip_blocks = True
    app.context_processor(_of_the_page)
    app.url_defaults(_lead_on_in_the_language_asked_for)


def listing(names: Sequence[str]) -> str:
    """Such as "one, two and three"."""
    return lists.format_list(names, "standard", locale=get_locale() or language.FALLBACK)


def moment(instant: datetime) -> str:
    """Such as "23 November 2026, 21:02 CET", or "23. November 2026, 21:02 MEZ"."""
    locale = get_locale() or Locale.parse(language.FALLBACK)
    zone = _zone(instant.astimezone(get_timezone()), locale)
    return f"{format_datetime(instant, f'{_pattern(locale)}, HH:mm')} {zone}"


def day(date: date) -> str:
    """Such as "23 November 2026"."""
    return str(format_date(date, _pattern(get_locale() or Locale.parse(language.FALLBACK))))


def _pattern(locale: Locale) -> str:
    # Babel takes English without a country for American English, with the month first.
    return "d MMMM y" if locale.language == "en" else str(locale.date_formats["long"].pattern)


def _zone(instant: datetime, locale: Locale) -> str:
    """The language's abbreviation; the zone's own if the language has none, for which Babel gives an offset."""
    name = get_timezone_name(instant, "short", locale=locale)
    return instant.tzname() or "UTC" if name[0] in "+-" else name


def _lead_on_in_the_language_asked_for(endpoint: str, values: dict[str, Any]) -> None:
    if endpoint != "static" and (asked := language.asked()):
        values.setdefault("language", asked)


def _of_the_page() -> dict[str, Any]:
    return {
        "page_language": str(get_locale() or language.FALLBACK),
        "page_direction": language.direction(),
        "languages": language.NAMES,
        "in_other_languages": _in_other_languages(),
    }


def _in_other_languages() -> dict[str, str]:
    """By language: a link relative to this page, without its path, which may be secret."""
    if not request:  # when a letter is rendered
        return {}
    kept = [(name, value) for name in KEPT_ARGUMENTS for value in request.args.getlist(name)]
    return {tag: "?" + urlencode([*kept, ("language", tag)]) for tag in language.NAMES}
