"""Two strengths of one link.

Mails get forwarded. So a link from a letter, which never expires, shows the address masked and lets one leave. What
shows or changes more takes a fresh one, which is mailed on request and good for half an hour. After that it is as
strong as the others, and never a dead end: whoever wants more is offered a new one.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from flask import Blueprint, Response, make_response, render_template
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
    """One request behind a genuine link. What the link may do is judged once, so that it cannot change half-way."""

    token: str
    subscriber_id: UUID
    fresh_until: datetime | None
    """None: it shows the masked address and lets one leave, and no more."""

    @property
    def act(self) -> Act:
        return Act(Actor.MAILBOX_HOLDER, {"method": "preferences", "browser": client.browser_family()})

    def find_person(self) -> Person | None:
        """None where they have been erased. Whoever is found is answered in their language."""
        with current.database().read_only() as connection:
            found = subscriber.find(connection, self.subscriber_id)
        if found:
            language.use(found.language)
        return found


class LinkIsWeak(Forbidden):
    """What was asked for takes a fresh link."""

    description = "This takes a fresh link. It is mailed to you when you ask for it, and works for half an hour."

    def __init__(self, visit: Visit) -> None:
        super().__init__()
        self.visit = visit


def begin(token: str) -> Visit:
    """Raises TokenInvalid."""
    claim = current.links().signer.read(Purpose.PREFERENCES, token)
    return Visit(token, claim.subject, claim.expires_at if _is_fresh(claim) else None)


def _is_fresh(claim: Claim) -> bool:
    """Mailed in the last half hour, to the address that is still the person's."""
    if claim.expires_at is None or claim.has_expired(clock.now()):
        return False
    # A token counts whole seconds: of a link from the very second of a move nobody can say which mailbox it went to.
    mailed_at = claim.expires_at - FRESH_FOR
    with current.database().read_only() as connection:
        return not changes.has_moved(connection, claim.subject, since=mailed_at)


def begin_fresh(token: str) -> Visit:
    """Raises TokenInvalid, or LinkIsWeak where the link was never fresh or is not any more."""
    visit = begin(token)
    require_fresh(visit)
    return visit


def require_fresh(visit: Visit) -> datetime:
    """Until when the link is fresh. Raises LinkIsWeak."""
    if visit.fresh_until is None:
        raise LinkIsWeak(visit)
    return visit.fresh_until


@blueprint.app_errorhandler(LinkIsWeak)
def offer_fresh_link(error: LinkIsWeak) -> Response:
    """Not 200, so that no program takes the page for what it asked for; people see what to do either way."""
    if not wants_page():
        return problems.answer(error)
    error.visit.find_person()
    return make_response(render_template("pages/preferences/offer.html", token=error.visit.token), 403)


def nobody() -> str:
    """The person has been erased: nothing is wrong with that, and nothing is left to show."""
    return render_template("pages/preferences/nobody.html")
