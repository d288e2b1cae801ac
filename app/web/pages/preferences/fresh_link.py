"""Request for a fresh link: by address, or from a weak link. The answer is the same for every address."""

from flask import Response, jsonify, make_response, render_template, request
from flask_babel import gettext as _

from app.subscriptions import preferences_link
from app.web import current, language, origins, parsing
from app.web.negotiation import wants_page
from app.web.pages.preferences import access
from app.web.pages.preferences.access import blueprint
from app.web.problems import FieldErrors


@blueprint.get("")
def show_form() -> Response:
    return form(address="", errors={})


@blueprint.route("", methods=["OPTIONS"])
def preflight() -> Response:
    return Response(status=204)


@blueprint.post("")
def ask() -> Response:
    """Mail the link to `email` if it is known. JSON or a form; `language` is the language of the answer."""
    request.max_content_length = parsing.MAX_BYTES
    origins.check_any()
    fields = parsing.address_fields()
    language.use(fields.get("language"))
    digest = fields["email"].digest(current.settings().suppression_key)
    with current.database().transaction() as session:
        preferences_link.owe(session, fields["email"].canonical, digest)
    return _mailed()


@blueprint.get("/<token>/link")
def show_offer(token: str) -> str:
    access.begin(token).find_person()
    return render_template("pages/preferences/offer.html", token=token)


@blueprint.post("/<token>/link")
def mail_link(token: str) -> Response:
    """Mail a fresh link to the person of the present link."""
    person = access.begin(token).find_person()
    if person is not None:
        with current.database().transaction() as session:
            preferences_link.owe(session, person.address.canonical, person.digest)
    return _mailed()


@blueprint.after_request
def grant(response: Response) -> Response:
    """CORS for sites with a form of their own; never for a URL with a token."""
    return response if request.view_args else origins.grant(response)


def form(*, address: str, errors: FieldErrors) -> Response:
    page = make_response(render_template("pages/preferences/ask.html", address=address, errors=errors))
    # As on the signup page: `Origin: null` is refused, because any site can send it, and the URL holds no secret.
    page.headers["Referrer-Policy"] = "same-origin"
    return page


def _mailed() -> Response:
    if wants_page():
        return make_response(render_template("pages/preferences/mailed.html"))
    message = _("If the address is known here, a mail with a link is on its way.")
    return make_response(jsonify(status="accepted", message=message), 202)
