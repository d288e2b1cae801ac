"""Erase me (GDPR Art. 17): a page that says what is erased and what is kept, with one button."""

from flask import render_template

from app.privacy import erasure
from app.web import current
from app.web.pages.preferences import access
from app.web.pages.preferences.access import blueprint


@blueprint.get("/<token>/erase")
def show_erase(token: str) -> str:
    visit = access.begin_fresh(token)
    person = visit.find_person()
    if person is None:
        return access.nobody()
    return render_template("pages/preferences/erase.html", person=person, token=token)


@blueprint.post("/<token>/erase")
def erase(token: str) -> str:
    """Idempotent: a repetition gets the same answer, and nothing more is written."""
    visit = access.begin_fresh(token)
    visit.find_person()
    with current.database().transaction() as session:
        erasure.erase(session, visit.subscriber_id, visit.act)
    current.database().scrub()
    return render_template("pages/preferences/erased.html")
