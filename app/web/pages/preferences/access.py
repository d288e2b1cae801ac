"""Two strengths of the preferences link: weak and fresh.

Mails get forwarded. So a link from a letter, which never expires, only shows the masked address and lets the person
leave. Everything else needs a fresh link, which is mailed on request and fresh for half an hour. After that it is as
weak as the others, and its page offers a new one.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from flask import Blueprint, Response, make_response, render_template
from flask_babel import gettext as _
from werkzeug.exceptions import Forbidden

from app import clock
from app.consent import Act, Actor
from app.links import FRESH_FOR
from app.subscriptions import subscriber
from app.subscriptions.address_change import changes
from app.subscriptions.subscriber import Person
from app.tokens import Claim, Purpose
from app.web import client, current, language, problems
from app.web.negotiation import wants_page

blueprint = Blueprint("preferences", __name__, url_prefix="/preferences")


@dataclass(frozen=True, slots=True)
class Visit:
    """One request with a genuine link. The link's strength is judged once, so that it cannot change half-way."""

    token: str
    subscriber_id: UUID
    fresh_until: datetime | None
    """None: a weak link, which only shows the masked address and lets the person leave."""

    @property
    def act(self) -> Act:
        return Act(Actor.MAILBOX_HOLDER, {"method": "preferences", "browser": client.browser_family()})

    def find_person(self) -> Person | None:
        """None if the person has been erased. Otherwise sets the answer's language to theirs."""
        with current.database().read_only() as connection:
            found = subscriber.find(connection, self.subscriber_id)
        if found:
            language.use(found.language)
        return found


class LinkIsWeak(Forbidden):
    """403: the request needs a fresh link."""

    kind = "link-not-fresh"

    def __init__(self, visit: Visit) -> None:
        super().__init__(
            _("This takes a fresh link. It is mailed to you when you ask for it, and works for half an hour.")
        )
        self.visit = visit


def begin(token: str) -> Visit:
    """Raises TokenInvalid."""
    claim = current.links().signer.read(Purpose.PREFERENCES, token)
    return Visit(token, claim.subject, claim.expires_at if _is_fresh(claim) else None)


def _is_fresh(claim: Claim) -> bool:
    """Whether it was mailed in the last half hour, to the address that is still the person's."""
    if claim.expires_at is None or claim.has_expired(clock.now()):
        return False
    # A token counts whole seconds: a link from the very second of an address change may have gone to either mailbox.
    mailed_at = claim.expires_at - FRESH_FOR
    with current.database().read_only() as connection:
        return not changes.has_moved(connection, claim.subject, since=mailed_at)


def begin_fresh(token: str) -> Visit:
    """Raises TokenInvalid, or LinkIsWeak if the link was never fresh or no longer is."""
    visit = begin(token)
    require_fresh(visit)
    return visit


def require_fresh(visit: Visit) -> datetime:
    """The end of the link's freshness. Raises LinkIsWeak."""
    if visit.fresh_until is None:
        raise LinkIsWeak(visit)
    return visit.fresh_until


@blueprint.app_errorhandler(LinkIsWeak)
def offer_fresh_link(error: LinkIsWeak) -> Response:
    """Not 200, so that no program takes the page for the content it asked for; people see what to do either way."""
    if not wants_page():
        return problems.answer(error)
    error.visit.find_person()
    return make_response(render_template("pages/preferences/offer.html", token=error.visit.token), 403)


def nobody() -> str:
    """The page after an erasure: not an error, but nothing is left to show."""
    return render_template("pages/preferences/nobody.html")
