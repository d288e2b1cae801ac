"""What templates can say that Jinja cannot: an instant in the reader's language, with its time zone named."""

from datetime import datetime

from flask import Flask, request
from flask_babel import format_datetime, get_locale, get_timezone


def register(app: Flask) -> None:
    app.jinja_env.filters["moment"] = moment
    app.jinja_env.trim_blocks = True
    app.jinja_env.lstrip_blocks = True
    app.context_processor(lambda: {"page_language": str(get_locale() or "en"), "own_path": _own_path()})


def moment(instant: datetime) -> str:
    """Such as "23 November 2026, 21:02 CET"."""
    zone = instant.astimezone(get_timezone()).tzname()
    return f"{format_datetime(instant, 'd MMMM y, HH:mm')} {zone}"


def _own_path() -> str:
    """Letters are rendered outside any request."""
    return request.path if request else ""
