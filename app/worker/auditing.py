"""Nightly audit of the log, by the first worker that claims it."""

import threading

import structlog

from app import clock
from app.ledger import audit
from app.ledger.audit import results
from app.ledger.audit.results import Result
from app.resources import Resources

log = structlog.get_logger()

IDLE_SECONDS = 60
FINDINGS_TOLD = 100
"""`jawel ledger audit` names all of them."""


class _Stopped(Exception):
    """The worker is told to stop during an audit, which is then left to another worker."""


def run(resources: Resources, stop: threading.Event) -> None:
    while not stop.is_set():
        try:
            audit_nightly(resources, stop)
        except Exception as error:
            log.error("worker.audit_failed", kind=type(error).__name__)
        stop.wait(IDLE_SECONDS)


def audit_nightly(resources: Resources, stop: threading.Event) -> None:
    """Audit the log unless a worker has done so tonight. Released if it fails or `stop` is set meanwhile."""
    begun_at = clock.now()
    with resources.database.transaction() as session:
        if not results.claim(session, begun_at):
            return
    try:
        result = _audit(resources, stop)
    except Exception as error:
        with resources.database.transaction() as session:
            results.give_back(session, begun_at)
        if isinstance(error, _Stopped):
            return
        raise
    with resources.database.transaction() as session:
        results.record(session, begun_at, result)
    log.info("audit.finished", events=result.events, findings=result.findings)


def _audit(resources: Resources, stop: threading.Event) -> Result:
    def go_on(_rows: int) -> None:
        if stop.is_set():
            raise _Stopped

    found = 0
    with audit.snapshot(resources.database) as connection:
        events, _sealed = audit.rows_to_read(connection)
        for found, finding in enumerate(audit.findings(connection, resources.log, go_on), 1):
            if found <= FINDINGS_TOLD:
                log.critical("audit.finding", finding=finding)
    return Result(clock.now(), events, found)
