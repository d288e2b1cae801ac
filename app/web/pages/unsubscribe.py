"""Unsubscribe. Mail programs post here on their own (RFC 8058), people through a page with one button.

The POST needs no cookie, Origin, token or particular body. It never redirects and always answers 200 to a genuine
link, so that a program that retries is satisfied; the page of a link that was used before says so. Only the page that
answers a person's press offers undo.
"""

from contextlib import suppress
from dataclasses import dataclass
from uuid import UUID

from flask import Blueprint, Response, jsonify, make_response, render_template, request
from flask_babel import gettext as _

from app.consent import Act, Actor
from app.newsletters.definitions import Newsletter
from app.subscriptions import subscriber as people
from app.subscriptions import withdrawal
from app.subscriptions.model import Status
from app.subscriptions.subscriber import Person
from app.subscriptions.undo import UNDO_METHOD, restore
from app.subscriptions.withdrawal import LeavingReason
from app.tokens import Purpose, TokenInvalid
from app.web import client, current, language, parsing, problems
from app.web.negotiation import wants_page
from app.web.pages import undo_token
from app.web.problems import UndoOver

blueprint = Blueprint("unsubscribe", __name__, url_prefix="/unsubscribe/<token>")


@dataclass(frozen=True, slots=True)
class Leaving:
    """The subscription of the link; newsletter and person are None if all of it has been erased."""

    token: str
    newsletter: Newsletter | None
    person: Person | None
    is_about_one: bool
    """The link is for one newsletter: its holder must learn nothing about the person's other newsletters."""

    @property
    def is_over(self) -> bool:
        if self.person is None or self.newsletter is None:
            return True
        return self.person.status_of(self.newsletter.slug) not in withdrawal.LEAVABLE


@blueprint.get("")
def show(token: str) -> str:
    leaving = _look_up(token)
    return _page("pages/unsubscribed.html" if leaving.is_over else "pages/unsubscribe.html", leaving)


@blueprint.post("")
def press(token: str) -> Response:
    subscription_id, is_about_one = _read(token)
    is_one_click = _is_one_click()
    method = withdrawal.ONE_CLICK if is_one_click else "page"
    act = Act(Actor.MAILBOX_HOLDER, {"method": method, "browser": client.browser_family(), **_reason()})
    catalogue = current.catalogue()
    with current.database().transaction() as session:
        # A mail program adds nothing to the body of RFC 8058, so a letter says it in the URL.
        is_all = "1" in (parsing.optional_field("all"), request.args.get("all"))
        if is_all and not is_about_one:
            undo_subject = withdrawal.leave_all_of(session, subscription_id, catalogue=catalogue, act=act)
        else:
            undo_subject = withdrawal.leave(session, subscription_id, catalogue=catalogue, act=act)
    if wants_page():
        leaving = _look_up(token)
        undo = None if is_one_click or undo_subject is None else undo_token.make(Purpose.UNDO, undo_subject)
        return make_response(_page("pages/unsubscribed.html", leaving, undo=undo))
    return jsonify(status=Status.UNSUBSCRIBED)


@blueprint.post("/undo")
def undo(token: str) -> Response:
    """`undo` is the token of the page that answered the press. It works once, and not after a later press to leave."""
    leaving = _look_up(token)
    claim = undo_token.read(Purpose.UNDO)
    act = Act(Actor.MAILBOX_HOLDER, {"method": UNDO_METHOD, **client.details()})
    names: list[str] = []
    if leaving.person and claim:
        with current.database().transaction() as session:
            names = list(restore(session, leaving.person.id, claim.subject, act))
    if not wants_page():
        return jsonify(status=Status.CONFIRMED, newsletters=names) if names else problems.answer(_too_late())
    words = [current.catalogue().newsletters[name].words(language.preferred()) for name in names]
    page = render_template("pages/undone.html", words=words, is_subscribed=not (names or leaving.is_over))
    return make_response(page, 200 if names else 410)


def _too_late() -> UndoOver:
    return UndoOver(
        _("This can be undone once, for half an hour, unless something else has happened since. Sign up again.")
    )


def _read(token: str) -> tuple[UUID, bool]:
    """The subscription's id, and whether the link is about it alone. Raises TokenInvalid."""
    signer = current.links().signer
    with suppress(TokenInvalid):
        return signer.read(Purpose.UNSUBSCRIBE, token).subject, False
    return signer.read(Purpose.UNSUBSCRIBE_ONE, token).subject, True


def _look_up(token: str) -> Leaving:
    subscription_id, is_about_one = _read(token)
    with current.database().read_only() as connection:
        found = withdrawal.find_newsletter(connection, subscription_id)
        person = people.find(connection, found[0]) if found else None
    if person:
        language.use(person.language)
    newsletter = current.catalogue().newsletters.get(found[1]) if found else None
    return Leaving(token, newsletter, person, is_about_one)


def _page(template: str, leaving: Leaving, undo: str | None = None) -> str:
    words = leaving.newsletter.words(language.preferred()) if leaving.newsletter else None
    return render_template(template, leaving=leaving, words=words, undo=undo)


def _reason() -> dict[str, str]:
    """Ignores an unknown reason: a withdrawal is never refused because of its body (RFC 8058)."""
    said = parsing.optional_field("reason")
    return {"reason": said} if said in list(LeavingReason) else {}


def _is_one_click() -> bool:
    """Some programs send an empty body where RFC 8058 asks for `List-Unsubscribe=One-Click`."""
    # A chunked body has no Content-Length, and is not empty.
    is_empty = not request.content_length and "Transfer-Encoding" not in request.headers
    return is_empty or parsing.optional_field("List-Unsubscribe") == "One-Click"
