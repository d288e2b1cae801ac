"""The page behind the link in a confirmation letter.

Mail scanners open every link before the person does, some with a browser that runs scripts. So GET only shows, one
button posts, and only a person presses it.

Consent is given here, by the holder of the mailbox. So the button names all that it confirms, and where only some of it
is wanted, no box is ticked beforehand (GDPR recital 32; CJEU C-673/17, Planet49).
"""

from dataclasses import replace
from functools import partial
from types import MappingProxyType

from flask import Blueprint, Response, jsonify, make_response, render_template, request
from flask_babel import gettext as _
from werkzeug.wrappers import Response as BaseResponse

from app import clock
from app.subscriptions import confirmation
from app.subscriptions.confirmation import Asked, Standing
from app.subscriptions.decision import HoneypotResult, Signup
from app.tokens import Claim, Purpose
from app.web import client, current, language, parsing, problems
from app.web.http import headers
from app.web.negotiation import wants_page
from app.web.pages import confirmed
from app.web.problem_texts import CodedMessage
from app.web.problems import FieldErrors, InvalidFields, LinkEnded, LinkExpired
from app.web.signup import intake

blueprint = Blueprint("confirm", __name__, url_prefix="/confirm/<token>")


@blueprint.get("")
def show(token: str) -> Response:
    claim = claim_of(token)
    asked = asked_by(claim)
    response = make_response(_page(asked, token, claim), _status(asked, claim))
    response.headers["Content-Security-Policy"] = headers.policy(confirmed.redirects(asked.standings if asked else ()))
    return response


@blueprint.post("")
def press(token: str) -> BaseResponse:
    """Confirm. Idempotent."""
    claim = claim_of(token)
    asked = asked_by(claim)
    if asked is None or _status(asked, claim) != 200:
        return _gone(asked, token, claim)
    chosen = _chosen(asked)
    if _open(asked, claim):
        act = client.button_evidence(partial(_page, asked, "…", claim))
        with current.database().transaction() as session:
            standings = confirmation.confirm(session, claim.subject, chosen=chosen, act=act)
        asked = replace(asked, standings=standings)
        if _status(asked, claim) != 200:
            return _gone(asked, token, claim)
    return confirmed.answer(asked)


@blueprint.errorhandler(InvalidFields)
def show_again(error: InvalidFields) -> Response:
    """A person who ticked nothing gets the boxes, again or for the first time, with the error."""
    token = str((request.view_args or {})["token"])
    claim = claim_of(token)
    asked = asked_by(claim)
    if not wants_page() or asked is None or not _open(asked, claim):
        return problems.answer(error)
    return make_response(_page(asked, token, claim, error.errors), 422)


@blueprint.post("/resend")
def resend(token: str) -> Response:
    """A new letter to the same address, for an expired link. Counts against the same recipient limit as any other."""
    asked = asked_by(claim_of(token))
    if asked and (names := asked.those(Standing.OPEN)):
        _ask_again(asked, names)
    if wants_page():
        return make_response(render_template("pages/resent.html", asked=asked))
    answer = jsonify(status="accepted")
    answer.status_code = 202
    return answer


def claim_of(token: str) -> Claim:
    return current.links().signer.read(Purpose.CONFIRM, token)


def asked_by(claim: Claim) -> Asked | None:
    with current.database().read_only() as connection:
        asked = confirmation.find(connection, claim.subject)
    if asked is not None:
        language.use(asked.language)
    return asked


def _status(asked: Asked | None, claim: Claim) -> int:
    """410 if the link cannot confirm anything any more; a page that was confirmed stays 200 for ever."""
    if asked is None:
        return 410
    return 200 if asked.those(Standing.CONFIRMED) or _open(asked, claim) else 410


def _open(asked: Asked, claim: Claim) -> list[str]:
    """The newsletters that this link can still confirm."""
    return [] if claim.has_expired(clock.now()) else asked.those(Standing.OPEN)


def _gone(asked: Asked | None, token: str, claim: Claim) -> BaseResponse:
    if wants_page():
        return make_response(_page(asked, token, claim), 410)
    if asked and asked.those(Standing.OPEN):
        return problems.answer(LinkExpired(_("This link has expired. Ask for a new mail, or sign up again.")))
    return problems.answer(LinkEnded(_("You have left since, or the request was erased. To subscribe, sign up again.")))


def _page(asked: Asked | None, token: str, claim: Claim, errors: FieldErrors = MappingProxyType({})) -> str:
    status = _status(asked, claim)
    if status == 200 and asked and not _open(asked, claim):
        return confirmed.page(asked)
    template = "pages/confirm.html" if status == 200 else "pages/expired.html"
    names = asked.those(Standing.OPEN) if asked else []
    words = confirmed.words(asked) if asked else {}
    return render_template(
        template,
        asked=asked,
        origin=asked.origin if asked else None,
        names=names,
        words=words,
        titles=[words[name].title for name in names],
        token=token,
        errors=errors,
        has_boxes=bool(errors) or _offers_a_choice(),
        controller=current.catalogue().controller,
    )


def _offers_a_choice() -> bool:
    """Whether the page has a box for each newsletter. `choose`: the hidden field of forms from before `?some=1`."""
    return "some" in request.args or "choose" in request.form


def _chosen(asked: Asked) -> list[str]:
    """The open newsletters that the person ticked; all open ones if the button or the program named no others."""
    # A chunked body has no Content-Length; taking it for empty would confirm newsletters that were left unticked.
    fields = parsing.body() if request.form or request.get_data() else {}
    open_ = asked.those(Standing.OPEN)
    wanted = fields.get("newsletters", [] if _offers_a_choice() else list(asked.standings))
    wanted = [wanted] if isinstance(wanted, str) else wanted
    if not isinstance(wanted, list) or not wanted or any(name not in list(asked.standings) for name in wanted):
        raise InvalidFields(
            {
                "newsletters": [
                    CodedMessage.of("required", _("Choose at least one of the newsletters that the mail names."))
                ]
            }
        )
    return [name for name in open_ if name in wanted]


def _ask_again(asked: Asked, names: list[str]) -> None:
    newsletters = current.catalogue().open
    signup = Signup(
        address=asked.address,
        newsletters=tuple(newsletters[name] for name in names if name in newsletters),
        language=asked.language,
        asked_from=asked.asked_from,
        sincerity=HoneypotResult.HUMAN,
        evidence={"method": "resend_button", "letter": str(asked.letter_id), **client.details()},
        only_for=asked.subscriber_id,
    )
    if signup.newsletters:
        intake.record(signup)
