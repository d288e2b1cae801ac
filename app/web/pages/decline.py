"""Declining what a confirmation letter asks for ("this was not me"), and taking that back.

One button posts, and the page that answers it has another, which undoes it for half an hour. Mail programs post here
too, by the one-click unsubscribe of the letter; they show no page, and so can undo nothing.
"""

from collections.abc import Mapping
from uuid import uuid4

from flask import Blueprint, Response, jsonify, make_response, render_template
from flask_babel import gettext as _

from app.consent import Act, Actor
from app.subscriptions import declining, withdrawal
from app.subscriptions.confirmation import Asked, Standing
from app.subscriptions.model import Status
from app.subscriptions.undo import UNDO_METHOD, restore
from app.tokens import Purpose
from app.web import client, current, language, parsing, problems
from app.web.negotiation import wants_page
from app.web.pages import confirm, confirmed, undo_token
from app.web.problems import UndoOver

blueprint = Blueprint("decline", __name__, url_prefix="/confirm/<token>")


@blueprint.get("/decline")
def show(token: str) -> str:
    asked = confirm.asked_by(confirm.claim_of(token))
    names = asked.those(Standing.OPEN) if asked else []
    words = confirmed.words(asked) if asked else {}
    return render_template("pages/decline.html", names=names, words=words, token=token)


@blueprint.post("/decline")
def press(token: str) -> Response:
    """Idempotent. From the page's button, or as the one-click unsubscribe of the confirmation letter."""
    claim = confirm.claim_of(token)
    is_one_click = parsing.optional_field("List-Unsubscribe") == "One-Click"
    is_page = wants_page() and not is_one_click
    act = Act(Actor.MAILBOX_HOLDER, {"method": withdrawal.ONE_CLICK if is_one_click else "page", **client.details()})
    undo_id = uuid4() if is_page else None
    with current.database().transaction() as session:
        declined = declining.decline(session, claim.subject, catalogue=current.catalogue(), act=act, undo_id=undo_id)
    if not is_page:
        return jsonify(status="declined")
    confirm.asked_by(claim)
    undo = undo_token.make(Purpose.UNDO_DECLINE, declined.undo_subject) if declined.undo_subject else None
    return make_response(render_template("pages/declined.html", declined=declined, token=token, undo=undo))


@blueprint.post("/undo")
def undo(token: str) -> Response:
    """`undo` is the token of the page that answered the press. It works once, and not after a later press."""
    letter = confirm.claim_of(token)
    asked = confirm.asked_by(letter)
    claim = undo_token.read(Purpose.UNDO_DECLINE)
    act = Act(Actor.MAILBOX_HOLDER, {"method": UNDO_METHOD, "letter": str(letter.subject), **client.details()})
    restored: Mapping[str, Status] = {}
    if asked and claim:
        with current.database().transaction() as session:
            restored = restore(session, asked.subscriber_id, claim.subject, act)
    if not wants_page():
        return _as_json(restored)
    return make_response(_undone(asked, restored, token), 200 if restored else 410)


def _as_json(restored: Mapping[str, Status]) -> Response:
    """`pending` if anything of it still has to be confirmed."""
    if not restored:
        return problems.answer(
            UndoOver(_("This can be undone once, for half an hour, unless something else has happened."))
        )
    status = Status.PENDING if Status.PENDING in restored.values() else Status.CONFIRMED
    return jsonify(status=status, newsletters=list(restored))


def _undone(asked: Asked | None, restored: Mapping[str, Status], token: str) -> str:
    titles: dict[str, list[str]] = {Status.PENDING: [], Status.CONFIRMED: []}
    for name, status in restored.items():
        titles[status].append(current.catalogue().newsletters[name].words(language.preferred()).title)
    is_open = asked is not None and bool(asked.those(Standing.OPEN))
    return render_template("pages/decline_undone.html", titles=titles, is_open=is_open, token=token)
