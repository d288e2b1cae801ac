"""Has the newest checkpoint time-stamped by the configured authorities, if any."""

import threading
from datetime import timedelta

import structlog

from app import clock
from app.ledger import anchors
from app.ledger.anchors import Anchor, Due, Schedule, Unanchored
from app.resources import Resources

log = structlog.get_logger()

IDLE_SECONDS = 30


def run(resources: Resources, stop: threading.Event) -> None:
    while resources.settings.timestamp_authorities and not stop.is_set():
        try:
            anchor_due(resources)
        except Exception as error:
            log.error("worker.anchoring_failed", kind=type(error).__name__)
        stop.wait(IDLE_SECONDS)


def anchor_due(resources: Resources) -> None:
    """Ask each authority that is due. One that fails is asked again at the next round."""
    settings = resources.settings
    schedule = Schedule(settings.timestamp_authorities, timedelta(minutes=settings.timestamp_minutes))
    with resources.database.read_only() as connection:
        due = anchors.due(connection, schedule, clock.now())
    for each in due:
        try:
            _anchor(resources, each)
            log.info("checkpoint.anchored", size=each.size, authority=anchors.name(each.authority))
        except Unanchored as error:
            log.warning("checkpoint.not_anchored", authority=anchors.name(each.authority), reason=str(error))


def _anchor(resources: Resources, due: Due) -> None:
    response = anchors.ask(due.authority, due.note)
    with resources.database.transaction() as session:
        anchors.keep(
            session, Anchor(size=due.size, authority=due.authority, response=response, obtained_at=clock.now())
        )
