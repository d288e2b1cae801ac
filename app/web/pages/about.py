"""The front page: what this service is."""

from flask import Blueprint, render_template

from app.web import current, language

blueprint = Blueprint("about", __name__)


@blueprint.get("/")
def show() -> str:
    catalogue = current.catalogue()
    words = {slug: each.words(language.preferred()) for slug, each in catalogue.open.items()}
    return render_template("pages/about.html", controller=catalogue.controller, words=words)
