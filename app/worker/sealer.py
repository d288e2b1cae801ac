"""Sealing loop: seals events as they arrive."""

import threading
import time
from uuid import UUID

import structlog

from app.database import Database
from app.ledger import refused, sealing
from app.ledger.log import Log, LogIsInconsistent

log = structlog.get_logger()

IDLE_SECONDS = 0.25
TROUBLE_SECONDS = 5
RECONSIDER_SECONDS = 60
NAMED = 20
"""Events named in one log line; `jawel ledger adopt` lists all of them."""


class Sealer:
    """Seals waiting events. Logs the reason of a refusal once, and again only when it changes."""

    def __init__(self, database: Database, ours: Log) -> None:
        self._database = database
        self._log = ours
        self._refusal = ""
        self._reconsidered_at = float("-inf")
        self._reconsidered: UUID | None = None

    def run(self, stop: threading.Event) -> None:
        while not stop.is_set():
            try:
                busy = self.step()
            except Exception as error:
                log.error("worker.sealing_failed", kind=type(error).__name__)
                stop.wait(TROUBLE_SECONDS)
            else:
                stop.wait(0 if busy else TROUBLE_SECONDS if self._refusal else IDLE_SECONDS)

    def step(self) -> bool:
        """True if an event was sealed or set aside: then there may be more."""
        self._reconsider_now_and_then()
        with self._database.read_only() as connection:
            if not sealing.is_due(connection):
                return False
        try:
            with self._database.transaction() as session:
                batch = sealing.seal(session, self._log)
        except LogIsInconsistent as error:
            if str(error) != self._refusal:
                log.critical("log.refused", reason=str(error))
            self._refusal = str(error)
            return False
        self._refusal = ""
        if batch.refused:
            named = [str(each) for each in batch.refused[:NAMED]]
            log.critical("log.events_refused", count=len(batch.refused), events=named)
        return bool(batch.sealed or batch.refused)

    def _reconsider_now_and_then(self) -> None:
        """A key that was missing here, as during a rotation, may be known by now."""
        if time.monotonic() < self._reconsidered_at + RECONSIDER_SECONDS:
            return
        self._reconsidered_at = time.monotonic()
        with self._database.read_only() as connection:
            if not refused.are_there(connection):
                return
        with self._database.transaction() as session:
            self._reconsidered = refused.reconsider(session, self._reconsidered)
