"""Address change: requested from the preferences, confirmed in the new mailbox, undone from the old one.

As everywhere, GET only shows, and one button posts. The holder of the new mailbox may be a stranger, and so may the
present holder of the old one: both addresses are masked on every page.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from uuid import UUID

from flask import Blueprint, Response, jsonify, make_response, render_template
from flask_babel import gettext as _
from sqlalchemy.orm import Session
from werkzeug.exceptions import Conflict, HTTPException

from app import clock
from app.addresses import EmailAddress, InvalidAddress
from app.consent import Act
from app.subscriptions.address_change import changes, completion, requests
from app.subscriptions.address_change.changes import AddressChangeView, ChangeStanding
from app.tokens import Purpose
from app.web import client, current, language, parsing, problems
from app.web.negotiation import wants_page
from app.web.pages.preferences import access
from app.web.problem_texts import CodedMessage
from app.web.problems import InvalidFields, LinkEnded

blueprint = Blueprint("address", __name__)


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two mailboxes: its link's purpose, its pages by standing, and the effect of its button."""

    purpose: Purpose
    pages: Mapping[ChangeStanding, str]
    presses_at: ChangeStanding
    """The standing at which the page has the button."""
    settle: Callable[[Session, UUID, Act], ChangeStanding]


NEW = Side(
    Purpose.ADDRESS,
    {ChangeStanding.OPEN: "confirm", ChangeStanding.CONFIRMED: "moved"},
    ChangeStanding.OPEN,
    completion.confirm,
)
OLD = Side(
    Purpose.FORMER_ADDRESS,
    {ChangeStanding.CONFIRMED: "undo", ChangeStanding.UNDONE: "undone"},
    ChangeStanding.CONFIRMED,
    completion.undo,
)


class AddressTaken(Conflict):
    """409: somebody is known by that address already."""

    kind = "address-taken"


@blueprint.post("/preferences/<token>/address")
def ask(token: str) -> Response:
    """The answer is the same for known and unknown addresses, and whether or not a letter is sent."""
    visit = access.begin_fresh(token)
    visit.find_person()
    given = parsing.optional_field("email").strip()
    try:
        wanted = EmailAddress.parse(given)
    except InvalidAddress:
        error = _("This is not an e-mail address that mail can be sent to.")
        return _refuse(
            InvalidFields({"email": [CodedMessage.of("invalid_address", error)]}), token=token, error=error, email=given
        )
    with current.database().transaction() as session:
        requests.ask(session, visit.subscriber_id, wanted, wanted.digests(current.settings().suppression_key))
    if wants_page():
        return make_response(render_template("pages/address/asked.html"))
    return make_response(jsonify(status="accepted"), 202)


@blueprint.get("/address/<token>")
def show(token: str) -> Response:
    return _page(NEW, _find(NEW, token), token)


@blueprint.post("/address/<token>")
def press(token: str) -> Response:
    """Confirm the address change. Idempotent."""
    return _settle(NEW, token)


@blueprint.get("/address/<token>/decline")
def show_decline(token: str) -> Response:
    """A confirmed change cannot be declined; the link in the old mailbox undoes it."""
    change = _find(NEW, token)
    if change and change.standing is ChangeStanding.CONFIRMED:
        return _page(NEW, change, token)
    return make_response(render_template("pages/address/decline.html", token=token))


@blueprint.post("/address/<token>/decline")
def decline(token: str) -> Response:
    """ "This was not me": from the page's button, or as the one-click unsubscribe of the letter (RFC 8058)."""
    claim = current.links().signer.read(Purpose.ADDRESS, token)
    with current.database().transaction() as session:
        requests.decline(session, claim.subject)
    change = _find(NEW, token)
    if not wants_page():
        return jsonify(status="declined")
    if change and change.standing is ChangeStanding.CONFIRMED:
        return _page(NEW, change, token)
    return make_response(render_template("pages/address/declined.html"))


@blueprint.get("/address/undo/<token>")
def show_undo(token: str) -> Response:
    return _page(OLD, _find(OLD, token), token)


@blueprint.post("/address/undo/<token>")
def undo(token: str) -> Response:
    """Undo the address change. Idempotent."""
    return _settle(OLD, token)


def _settle(side: Side, token: str) -> Response:
    change = _find(side, token)
    if change and change.standing is side.presses_at:
        act = client.button_evidence(partial(_text, side, change, "…"))
        with current.database().transaction() as session:
            change = replace(change, standing=side.settle(session, change.change_id, act))
    return _answer(side, change, token)


def _find(side: Side, token: str) -> AddressChangeView | None:
    claim = current.links().signer.read(side.purpose, token)
    with current.database().read_only() as connection:
        change = changes.find(connection, claim.subject, clock.now())
    if change:
        language.use(change.language)
    return change


def _answer(side: Side, change: AddressChangeView | None, token: str) -> Response:
    if wants_page():
        return _page(side, change, token)
    if change and change.standing in side.pages:
        return jsonify(status=change.standing.name.lower())
    return problems.answer(_problem(change))


def _page(side: Side, change: AddressChangeView | None, token: str) -> Response:
    if change is None or change.standing not in side.pages:
        error = _problem(change)
        name = "taken" if isinstance(error, AddressTaken) else "over"
        return make_response(render_template(f"pages/address/{name}.html"), error.code)
    return make_response(_text(side, change, token))


def _text(side: Side, change: AddressChangeView, token: str) -> str:
    newsletters = current.catalogue().newsletters
    titles = [newsletters[name].words(language.preferred()).title for name in change.newsletters]
    return render_template(f"pages/address/{side.pages[change.standing]}.html", move=change, titles=titles, token=token)


def _problem(change: AddressChangeView | None) -> HTTPException:
    if change and change.standing is ChangeStanding.TAKEN:
        return AddressTaken(_("The address has subscriptions of its own here. Nothing was changed."))
    return LinkEnded(_("This link cannot change any address any more."))


def _refuse(why: InvalidFields, **about: str) -> Response:
    if not wants_page():
        return problems.answer(why)
    return make_response(render_template("pages/address/ask.html", **about), why.code)
