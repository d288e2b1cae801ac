"""The worker: does the steps that are due, again and again, until it is told to stop.

A step is one function that does a bounded piece of work and says how much; the loops only sleep. Any number of workers
may run at once: letters are claimed under a lease, expiry passes over what others have locked, one seals at a time.
Sealing has a loop and a thread of its own, so that a slow mail server delays no checkpoint.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import structlog
from flask import Flask

from app import budgets, clock, ratelimits, services
from app.database import Database
from app.ledger import sealing
from app.ledger.log import Log, LogIsInconsistent
from app.mail import delivery, sending
from app.mail.sending import PostOffice
from app.newsletters.terms import Catalogue
from app.services import Services
from app.subscriptions import ending

log = structlog.get_logger()

IDLE_SECONDS = 0.5
SEALING_IDLE_SECONDS = 0.25
TROUBLE_SECONDS = 5
HOUSEKEEPING_EVERY = timedelta(minutes=1)
EXPIRE_AT_MOST = 200
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


def run(app: Flask, stop: threading.Event) -> None:
    """Until `stop` is set; the letter in hand is finished first. A database that is away is waited for."""
    at_hand = services.of(app)
    sealer = Sealer(at_hand.database, at_hand.log)
    sealing_beside = threading.Thread(target=sealer.run, args=(stop,), name="sealing")
    sealing_beside.start()
    try:
        _run_errands(app, stop)
    finally:
        stop.set()
        sealing_beside.join()


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


def keep_house(database: Database, catalogue: Catalogue) -> None:
    """Let unconfirmed requests lapse, and forget counters that no longer count."""
    for newsletter in catalogue.newsletters.values():
        expired = EXPIRE_AT_MOST
        while expired == EXPIRE_AT_MOST:
            with database.transaction() as session:
                expired = ending.expire(session, newsletter, clock.now(), at_most=EXPIRE_AT_MOST)
            if expired:
                log.info("subscriptions.expired", newsletter=newsletter.slug, count=expired)
    with database.transaction() as session:
        ratelimits.purge(session, clock.now())
        budgets.purge(session, clock.now())


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
