"""The feed of consent events, for services that follow people's decisions."""

import threading
import time
from typing import Any

from flask import Response, jsonify

from app.api_keys import Scope
from app.consent import timestamp
from app.ledger import feed
from app.ledger.feed import FeedPage, SealedEvent
from app.web import current
from app.web.api import access, schemas
from app.web.api.arguments import Blueprint

LOOK_AGAIN_SECONDS = 0.25
WAITING_AT_ONCE = 4
"""Each waiting request occupies a thread. Requests beyond this number are answered at once."""

blueprint = Blueprint("events", __name__, url_prefix="/api/v1", description="What happened, in order")
_seats = threading.BoundedSemaphore(WAITING_AT_ONCE)


@blueprint.route("/events")
@access.requires(Scope.EVENTS_READ)
@blueprint.arguments(schemas.EventsQuestion, location="query")
@blueprint.response(200, schemas.EventsAnswer)
def show_events(question: dict[str, Any]) -> Response:
    """Consent events by their position in the log, without gaps for a key that sees all newsletters."""
    if question["wait"] and _seats.acquire(blocking=False):
        try:
            page = _await(question, time.monotonic() + question["wait"])
        finally:
            _seats.release()
    else:
        page = _read(question)
    return jsonify(events=[_event(each) for each in page.events], next=page.next)


def _await(question: dict[str, Any], deadline: float) -> FeedPage:
    """Waits until an event that the key may see is sealed, the deadline passes, or the server shuts down."""
    page, stopping = _read(question), current.resources().stopping
    while not page.events and (left := deadline - time.monotonic()) > 0 and not stopping.is_set():
        if page.next == question["after"]:
            stopping.wait(min(LOOK_AGAIN_SECONDS, left))
        question = {**question, "after": page.next}
        page = _read(question)
    return page


def _read(question: dict[str, Any]) -> FeedPage:
    with current.database().read_only() as connection:
        newsletters = access.caller().newsletters
        return feed.read(connection, question["after"], limit=question["limit"], newsletters=newsletters)


def _event(found: SealedEvent) -> dict[str, Any]:
    return {
        "position": found.position,
        "id": str(found.id),
        "type": found.type,
        "occurred_at": timestamp(found.occurred_at),
        "subscriber": str(found.subscriber_id) if found.subscriber_id else None,
        "newsletter": found.newsletter,
    }
