"""Attack loop: compares requests with confirmations, and switches the breakers of newsletters."""

import threading

import structlog

from app import clock
from app.abuse.attack_detection import counting, switching
from app.abuse.attack_detection.model import BreakerChange
from app.database import Database
from app.database.locks import AdvisoryLock, try_lock

log = structlog.get_logger()

EVERY_SECONDS = 5


def run(database: Database, stop: threading.Event) -> None:
    while not stop.is_set():
        try:
            watch(database)
        except Exception as error:
            log.error("worker.watching_failed", kind=type(error).__name__)
        stop.wait(EVERY_SECONDS)


def watch(database: Database) -> None:
    """Count all events sealed since the last count, then switch. Does nothing while another worker does so."""
    counted = counting.AT_MOST
    while counted == counting.AT_MOST:
        counted, changes = _step(database)
        for change in changes:
            say(change)


def say(change: BreakerChange) -> None:
    log.warning(
        "breaker.tripped" if change.is_tripped else "breaker.reset",
        newsletter=change.newsletter,
        reason=change.reason,
        requests=change.requests,
        confirmations=change.confirmations,
        declines=change.declines,
    )


def _step(database: Database) -> tuple[int, list[BreakerChange]]:
    with database.transaction() as session:
        if not try_lock(session.connection(), AdvisoryLock.ATTACK_DETECTION):
            return 0, []
        now = clock.now()
        counted = counting.count(session, now)
        return counted, [] if counted == counting.AT_MOST else switching.switch(session, now)
