"""Which language a reader is answered in: the one asked for in the URL, else the one their browser asks for."""

from babel import Locale
from flask import g, request
from flask_babel import refresh

LANGUAGES = ("en", "nl")
"""Those that pages and letters are translated into. English comes first: it is what is left when nothing matches."""


_LOCALES = {language: Locale.parse(language) for language in LANGUAGES}


def use(tag: str | None) -> None:
    """From here on answer in the language that the person chose earlier, rather than in their browser's."""
    g.language = tag
    refresh()


def preferred() -> list[str]:
    """The reader's languages, best first, as two letters; `?language=` wins over Accept-Language."""
    asked = request.args.get("language") or g.get("language")
    accepted = [tag for tag, _quality in request.accept_languages]
    return [tag.partition("-")[0].lower() for tag in ([asked] if asked else []) + accepted]


def choose() -> Locale:
    """For Flask-Babel: the language of pages."""
    return _LOCALES[next((language for language in preferred() if language in LANGUAGES), LANGUAGES[0])]
