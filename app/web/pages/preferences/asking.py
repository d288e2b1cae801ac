"""Asking for a fresh link: by address, or from a link that is not fresh. Everybody is answered alike."""

from flask import Response, jsonify, make_response, render_template, request
from flask_babel import gettext as _

from app.subscriptions import fresh_links
from app.web import current, intake, language
from app.web.pages.preferences import visits
from app.web.pages.preferences.visits import blueprint
from app.web.problems import FieldErrors, wants_page


@blueprint.get("")
def show_form() -> str:
    return form(address="", errors={})


@blueprint.post("")
def ask() -> Response:
    """Mail the link to `email`, where that is somebody. In JSON or a form; `language` is that of the answer."""
    request.max_content_length = intake.MAX_BYTES
    fields = intake.address_fields()
    language.use(fields.get("language"))
    digest = fields["email"].digest(current.settings().suppression_key)
    with current.database().transaction() as session:
        fresh_links.owe(session, fields["email"].canonical, digest)
    return _mailed()


@blueprint.get("/<token>/link")
def show_offer(token: str) -> str:
    visits.begin(token).find_person()
    return render_template("pages/preferences/offer.html", token=token)


@blueprint.post("/<token>/link")
def mail_link(token: str) -> Response:
    """Mail the link to whom the present one is about."""
    person = visits.begin(token).find_person()
    if person is not None:
        with current.database().transaction() as session:
            fresh_links.owe(session, person.address.canonical, person.digest)
    return _mailed()


def form(*, address: str, errors: FieldErrors) -> str:
    return render_template("pages/preferences/ask.html", address=address, errors=errors)


def _mailed() -> Response:
    if wants_page():
        return make_response(render_template("pages/preferences/mailed.html"))
    message = _("If the address is known here, a mail with a link is on its way.")
    return make_response(jsonify(status="accepted", message=message), 202)
