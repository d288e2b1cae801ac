"""Seals events as they come, in a loop of its own."""

import threading

import structlog

from app.database import Database
from app.ledger import sealing
from app.ledger.log import Log, LogIsInconsistent

log = structlog.get_logger()

IDLE_SECONDS = 0.25
TROUBLE_SECONDS = 5


class Sealer:
    """Seals what waits. Says once what keeps it from doing so, and not again until that changes."""

    def __init__(self, database: Database, ours: Log) -> None:
        self._database = database
        self._log = ours
        self._refusal = ""

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
        """Whether anything was sealed: then there may be more."""
        with self._database.read_only() as connection:
            if not sealing.is_due(connection):
                return False
        try:
            with self._database.transaction() as session:
                sealed = sealing.seal(session, self._log)
        except LogIsInconsistent as error:
            if str(error) != self._refusal:
                log.critical("log.refused", reason=str(error))
            self._refusal = str(error)
            return False
        self._refusal = ""
        return sealed > 0
