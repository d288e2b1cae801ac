"""The feed of consent events, for services that follow people's decisions."""

import threading
import time
from typing import Any

from flask import Response, jsonify
from werkzeug.exceptions import Conflict

from app.api_keys import Scope
from app.consent import timestamp
from app.ledger import feed
from app.ledger.feed import FeedPage, LogRestarted, SealedEvent
from app.web import current
from app.web.api import access, log_schemas
from app.web.api.arguments import Blueprint

LOOK_AGAIN_SECONDS = 0.25
WAITING_AT_ONCE = 4
"""Each waiting request occupies a thread. Requests beyond this number are answered at once."""
RETRY_SECONDS = 2

blueprint = Blueprint("events", __name__, url_prefix="/api/v1", description="What happened, in order")
_seats = threading.BoundedSemaphore(WAITING_AT_ONCE)


class OtherHistory(Conflict):
    """409: the log is not the one that the caller has followed."""

    kind = "log-restarted"


@blueprint.route("/events")
@access.requires(Scope.EVENTS_READ)
@blueprint.arguments(log_schemas.EventsQuestion, location="query")
@blueprint.response(200, log_schemas.EventsAnswer)
def show_events(question: dict[str, Any]) -> Response:
    """Consent events by their position in the log, without gaps for a key that sees all newsletters.

    `409` of the type `log-restarted` where the log is not the one that the caller has followed: begin anew.
    """
    may_wait = bool(question["wait"]) and _seats.acquire(blocking=False)
    try:
        page = _await(question, time.monotonic() + question["wait"]) if may_wait else _first_page(question)
        log = _history(page.next)
    except LogRestarted:
        raise OtherHistory(
            "The log is not the one that you have followed, as after a restored backup. Take everybody anew, from "
            "/newsletters/{slug}/subscribers, and go on from the position that it names."
        ) from None
    finally:
        if may_wait:
            _seats.release()
    answer = jsonify(log=log, events=[_event(each) for each in page.events], next=page.next)
    if question["wait"] and not may_wait and not page.events:
        answer.headers["Retry-After"] = str(RETRY_SECONDS)
    return answer


def _await(question: dict[str, Any], deadline: float) -> FeedPage:
    """Waits until an event that the key may see is sealed, the deadline passes, or the server shuts down."""
    page, stopping = _first_page(question), current.resources().stopping
    if question["after"] == log_schemas.LATEST:
        return page
    after = question["after"]
    while not page.events and (left := deadline - time.monotonic()) > 0 and not stopping.is_set():
        if page.next == after:
            stopping.wait(min(LOOK_AGAIN_SECONDS, left))
        after = page.next
        page = _read(after, question["limit"])
    return page


def _first_page(question: dict[str, Any]) -> FeedPage:
    after = question["after"]
    with current.database().read_only() as connection:
        if after == log_schemas.LATEST:
            return FeedPage((), feed.newest(connection))
        if "log" in question:
            feed.go_on(connection, after, question["log"])
    return _read(after, question["limit"])


def _read(after: int, limit: int) -> FeedPage:
    with current.database().read_only() as connection:
        return feed.read(connection, after, limit=limit, newsletters=access.caller().newsletters)


def _history(position: int) -> str:
    with current.database().read_only() as connection:
        return feed.history(connection, position)


def _event(found: SealedEvent) -> dict[str, Any]:
    return {
        "position": found.position,
        "id": str(found.id),
        "type": found.type,
        "occurred_at": timestamp(found.occurred_at),
        "subscriber": str(found.subscriber_id) if found.subscriber_id else None,
        "newsletter": found.newsletter,
    }
