"""The worker: does the steps that are due, again and again, until it is told to stop.

A step is one function that does a bounded piece of work and says how much; the loops only sleep. Any number of workers
may run at once: letters are claimed under a lease, expiry passes over what others have locked, one seals at a time.
Sealing has a loop and a thread of its own, so that a slow mail server delays no checkpoint; so has the nightly audit.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import structlog
from flask import Flask

from app import clock, ratelimits, services
from app.database import Database
from app.ledger import audit, sealing
from app.ledger.audit import results
from app.ledger.audit.results import Result
from app.ledger.log import Log, LogIsInconsistent
from app.mail import delivery, sending
from app.mail.sending import PostOffice
from app.newsletters.terms import Catalogue
from app.privacy import retention
from app.services import Services

log = structlog.get_logger()

IDLE_SECONDS = 0.5
SEALING_IDLE_SECONDS = 0.25
TROUBLE_SECONDS = 5
HOUSEKEEPING_EVERY = timedelta(minutes=1)
FINDINGS_TOLD = 100
"""`jawel ledger audit` names all of them."""
REPLIES_A_LETTER = 7
"""Connecting, STARTTLS, AUTH, MAIL, RCPT, DATA and its end: each may take as long as the time-out."""


def run_once(app: Flask) -> None:
    """Do all that is due now."""
    at_hand = services.of(app)
    with _post_office(app) as office:
        while sending.deliver_due(at_hand.database, office):
            pass
    keep_house(at_hand.database, at_hand.catalogue.get())
    sealer = Sealer(at_hand.database, at_hand.log)
    while sealer.step():
        pass
    audit_nightly(at_hand, threading.Event())


def run(app: Flask, stop: threading.Event) -> None:
    """Until `stop` is set; the letter in hand is finished first. A database that is away is waited for."""
    at_hand = services.of(app)
    sealer = Sealer(at_hand.database, at_hand.log)
    beside = [
        threading.Thread(target=sealer.run, args=(stop,), name="sealing"),
        threading.Thread(target=_audit_each_night, args=(at_hand, stop), name="audit"),
    ]
    for thread in beside:
        thread.start()
    try:
        _run_errands(app, stop)
    finally:
        stop.set()
        for thread in beside:
            thread.join()


def _run_errands(app: Flask, stop: threading.Event) -> None:
    at_hand = services.of(app)
    with _post_office(app) as office:
        next_housekeeping = clock.now()
        while not stop.is_set():
            try:
                busy = sending.deliver_due(at_hand.database, office, stop)
                if clock.now() >= next_housekeeping:
                    keep_house(at_hand.database, at_hand.catalogue.get())
                    next_housekeeping = clock.now() + HOUSEKEEPING_EVERY
            except Exception as error:
                # Mostly the database that is away. Whatever it is, the others' letters wait; its text may be personal.
                log.error("worker.step_failed", kind=type(error).__name__)
                stop.wait(TROUBLE_SECONDS)
            else:
                stop.wait(0 if busy else IDLE_SECONDS)


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
                stop.wait(0 if busy else TROUBLE_SECONDS if self._refusal else SEALING_IDLE_SECONDS)

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


class _Stopped(Exception):
    """The worker is told to stop in the midst of an audit, which then is left to another."""


def _audit_each_night(at_hand: Services, stop: threading.Event) -> None:
    while not stop.is_set():
        try:
            audit_nightly(at_hand, stop)
        except Exception as error:
            log.error("worker.audit_failed", kind=type(error).__name__)
        stop.wait(HOUSEKEEPING_EVERY.total_seconds())


def audit_nightly(at_hand: Services, stop: threading.Event) -> None:
    """Audit the log where nobody has done so tonight. Given back where `stop` is set meanwhile."""
    begun_at = clock.now()
    with at_hand.database.transaction() as session:
        if not results.claim(session, begun_at):
            return
    try:
        result = _audit(at_hand, stop)
    except Exception as error:
        with at_hand.database.transaction() as session:
            results.give_back(session, begun_at)
        if isinstance(error, _Stopped):
            return
        raise
    with at_hand.database.transaction() as session:
        results.record(session, begun_at, result)
    log.info("audit.finished", events=result.events, findings=result.findings)


def _audit(at_hand: Services, stop: threading.Event) -> Result:
    def go_on(_rows: int) -> None:
        if stop.is_set():
            raise _Stopped

    found = 0
    with audit.snapshot(at_hand.database) as connection:
        events, _sealed = audit.rows_to_read(connection)
        for found, finding in enumerate(audit.findings(connection, at_hand.log, go_on), 1):
            if found <= FINDINGS_TOLD:
                log.critical("audit.finding", finding=finding)
    return Result(clock.now(), events, found)


def keep_house(database: Database, catalogue: Catalogue) -> None:
    """Purge what is kept no longer: requests that lapse, evidence, suppressions, counters."""
    for chore in retention.chores(catalogue):
        count = retention.carry_out(database, chore)
        if count:
            log.info(chore.kind, newsletter=chore.newsletter, count=count)
    with database.transaction() as session:
        ratelimits.purge(session, clock.now())
    database.scrub()


@contextmanager
def _post_office(app: Flask) -> Iterator[PostOffice]:
    at_hand: Services = services.of(app)
    carrier = delivery.carrier(at_hand.settings)
    server = at_hand.settings.mail_server
    slowest = timedelta(seconds=REPLIES_A_LETTER * server.timeout if server else 1)
    with app.app_context():
        try:
            yield PostOffice(carrier, at_hand.links, at_hand.catalogue.get, slowest)
        finally:
            carrier.close()
