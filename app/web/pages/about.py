"""The front page: what this service is."""

from flask import Blueprint, render_template

from app.web import current, language

blueprint = Blueprint("about", __name__)


@blueprint.get("/")
def show() -> str:
    catalogue = current.catalogue()
    preferred = language.preferred()
    return render_template(
        "pages/about.html",
        controller=catalogue.controller,
        words={slug: each.words(preferred) for slug, each in catalogue.open.items()},
        spoken={slug: each.language_for(preferred) for slug, each in catalogue.open.items()},
    )
