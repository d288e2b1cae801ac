"""Confirmation by the letter's six-digit code, typed on the page that is still open after signing up.

Every failure gets the same answer: unknown form id, wrong code, too late, too many tries, declined, left since.
"""

from flask import Blueprint, Response, make_response, render_template, request
from flask_babel import gettext as _
from werkzeug.wrappers import Response as BaseResponse

from app.consent import Act, Actor
from app.subscriptions import codes, confirmation
from app.subscriptions.codes import Guess
from app.subscriptions.confirmation import Asked
from app.web import client, current, language, origins, parsing, problems
from app.web.http import headers
from app.web.negotiation import FORM_TYPES, wants_page
from app.web.pages import confirmed
from app.web.problem_texts import CodedMessage
from app.web.problems import InvalidFields

blueprint = Blueprint("code", __name__, url_prefix="/confirm/code")


@blueprint.route("", methods=["OPTIONS"])
def preflight() -> Response:
    return Response(status=204)


@blueprint.post("")
def press() -> BaseResponse:
    """Confirm all that the letter asked for. Idempotent."""
    origins.check_any_but_null()
    asked = _confirm(parsing.guess())
    if asked is None:
        raise InvalidFields(
            {
                "code": [
                    CodedMessage.of("wrong_code", _("This code did not work. Check it, or open the link in the mail."))
                ]
            }
        )
    language.use(asked.language)
    return confirmed.answer(asked)


blueprint.after_request(origins.grant)


@blueprint.errorhandler(InvalidFields)
def show_form_again(error: InvalidFields) -> Response:
    if not wants_page() or request.mimetype not in FORM_TYPES:
        return problems.answer(error)
    attempt = request.form.get("attempt", "")
    response = make_response(render_template("pages/code.html", attempt=attempt, errors=error.errors), 422)
    response.headers["Content-Security-Policy"] = form_policy()
    return response


def form_policy() -> str:
    """For a page with the code form: the newsletters are not known yet, so the redirects of all of them are allowed."""
    return headers.policy(confirmed.redirects(current.catalogue().newsletters))


def _confirm(guess: Guess) -> Asked | None:
    act = Act(Actor.MAILBOX_HOLDER, {"method": "code", **client.details()})
    with current.database().transaction() as session:
        letter_id = codes.confirm(session, guess, current.settings().secret_keys, act)
    if letter_id is None:
        return None
    with current.database().read_only() as connection:
        return confirmation.find(connection, letter_id)
