"""Leaving. Mail programs post here on their own (RFC 8058), people through a page with one button.

The POST asks for nothing: no cookie, Origin, token or particular body. It never redirects and always answers 200 to a
genuine link, so that a program that retries is satisfied, and a link that was used before says so kindly.
"""

from dataclasses import dataclass

from flask import Blueprint, Response, jsonify, make_response, render_template, request

from app.consent import Act, Actor
from app.newsletters.terms import Newsletter
from app.subscriptions import withdrawal
from app.subscriptions.model import Status
from app.subscriptions.withdrawal import Membership
from app.tokens import Purpose
from app.web import client, current, intake, language
from app.web.problems import wants_page

blueprint = Blueprint("unsubscribe", __name__, url_prefix="/unsubscribe/<token>")


@dataclass(frozen=True, slots=True)
class Leaving:
    """What the link is about; newsletter and membership are None where all of it has been erased."""

    token: str
    newsletter: Newsletter | None
    membership: Membership | None

    @property
    def is_over(self) -> bool:
        slug = self.newsletter.slug if self.newsletter else ""
        return self.membership is None or self.membership.statuses.get(slug) not in withdrawal.LEAVABLE


@blueprint.get("")
def show(token: str) -> str:
    leaving = _look_up(token)
    return _page("pages/unsubscribed.html" if leaving.is_over else "pages/unsubscribe.html", leaving)


@blueprint.post("")
def press(token: str) -> Response:
    claim = current.links().signer.read(Purpose.UNSUBSCRIBE, token)
    method = "one_click" if _is_one_click() else "page"
    act = Act(Actor.MAILBOX_HOLDER, {"method": method, "browser": client.browser_family()})
    catalogue = current.catalogue()
    with current.database().transaction() as session:
        if intake.mentioned("all") == "1":
            withdrawal.leave_all_of(session, claim.subject, catalogue=catalogue, act=act)
        else:
            withdrawal.leave(session, claim.subject, catalogue=catalogue, act=act)
    if wants_page():
        return make_response(_page("pages/unsubscribed.html", _look_up(token)))
    return jsonify(status=Status.UNSUBSCRIBED)


def _look_up(token: str) -> Leaving:
    claim = current.links().signer.read(Purpose.UNSUBSCRIBE, token)
    with current.database().read_only() as connection:
        found = withdrawal.find_newsletter(connection, claim.subject)
        membership = withdrawal.find_membership(connection, found[0]) if found else None
    if membership:
        language.use(membership.language)
    return Leaving(token, current.catalogue().newsletters.get(found[1]) if found else None, membership)


def _page(template: str, leaving: Leaving) -> str:
    words = leaving.newsletter.words(language.preferred()) if leaving.newsletter else None
    return render_template(template, leaving=leaving, words=words)


def _is_one_click() -> bool:
    """Some programs send an empty body where RFC 8058 asks for `List-Unsubscribe=One-Click`."""
    return intake.mentioned("List-Unsubscribe") == "One-Click" or not request.content_length
