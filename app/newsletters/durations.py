"""Durations in words, in the language of whoever reads them."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Literal

from babel import lists, units

_UNITS = (
    ("year", timedelta(days=365)),
    ("day", timedelta(days=1)),
    ("hour", timedelta(hours=1)),
    ("minute", timedelta(minutes=1)),
    ("second", timedelta(seconds=1)),
)
_WIDTHS: Mapping[tuple[str, str], Literal["short"]] = {("nl", "day"): "short", ("nl", "hour"): "short"}
"""Babel has no long Dutch form of these units and falls back to English; the short forms are the whole words."""


def in_words(length: timedelta, language: str) -> str:
    """Exact, such as "3 years" or "1 day, 6 hours": a promise is not rounded."""
    parts = []
    for unit, one in _UNITS:
        count, length = divmod(length, one)
        if count:
            parts.append(units.format_unit(count, unit, _WIDTHS.get((language, unit), "long"), locale=language))
    return lists.format_list(parts, "unit", locale=language)
