"""Head and foot of every page: the controller and the newsletter, so that people recognise whom they deal with."""

from dataclasses import dataclass

from flask import url_for
from sqlalchemy.exc import SQLAlchemyError

from app.newsletters.definitions import Catalogue, Controller
from app.web import current, language


@dataclass(frozen=True, slots=True)
class Masthead:
    controller: Controller | None
    """None before a catalogue was applied, and while the database is down."""
    title: str | None = None
    """The title of the newsletter that the page is about."""
    spoken: str | None = None
    """The language of the title."""
    notice: str | None = None
    """The URL of its privacy notice."""


def of(slug: str) -> Masthead:
    """`slug` is empty or unknown if the page is about no newsletter in particular."""
    catalogue = _catalogue()
    newsletter = catalogue.newsletters.get(slug)
    if newsletter is None:
        return Masthead(catalogue.controller)
    spoken = newsletter.language_for(language.preferred())
    return Masthead(catalogue.controller, newsletter.title[spoken], spoken, notice_of(slug))


def notice_of(slug: str) -> str:
    """The URL of the privacy notice (GDPR Art. 13), in the language that this request asked for."""
    return url_for("notice.show", slug=slug)


def _catalogue() -> Catalogue:
    """Empty if the database is down: the page that says so has a head and a foot too."""
    try:
        return current.catalogue()
    except SQLAlchemyError:
        return Catalogue(None)
