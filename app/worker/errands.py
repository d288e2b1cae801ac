"""Letters whenever they are due, and the house kept every minute."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import structlog
from flask import Flask

from app import allowances, clock, ratelimits, services
from app.database import Database, is_away
from app.mail import delivery, sending
from app.mail.admission import Measure
from app.mail.sending import PostOffice
from app.newsletters.terms import Catalogue
from app.privacy import retention
from app.privacy.retention import Chore
from app.services import Services
from app.subscriptions import mailboxes

log = structlog.get_logger()

IDLE_SECONDS = 0.5
TROUBLE_SECONDS = 5
HOUSEKEEPING_EVERY = timedelta(minutes=1)
MAILBOXES_AT_ONCE = 1000
MAILBOXES_A_ROUND = 5 * MAILBOXES_AT_ONCE
"""No letter waits for longer than that takes, however many there are after an upgrade."""
REPLIES_A_LETTER = 7
"""Connecting, STARTTLS, AUTH, MAIL, RCPT, DATA and its end: each may take as long as the time-out."""


def run_once(app: Flask) -> None:
    at_hand = services.of(app)
    with post_office(app, threading.Event()) as office:
        while sending.deliver_due(at_hand.database, office):
            pass
    keep_house(at_hand.database, at_hand.catalogue.get())
    complete_mailboxes(at_hand.database, at_hand.settings.suppression_key)


def run(app: Flask, stop: threading.Event) -> None:
    at_hand = services.of(app)
    with post_office(app, stop) as office:
        next_housekeeping = clock.now()
        while not stop.is_set():
            try:
                busy = sending.deliver_due(at_hand.database, office)
                if clock.now() >= next_housekeeping:
                    keep_house(at_hand.database, at_hand.catalogue.get())
                    complete_mailboxes(at_hand.database, at_hand.settings.suppression_key)
                    next_housekeeping = clock.now() + HOUSEKEEPING_EVERY
            except Exception as error:
                # Mostly the database that is away. Whatever it is, the others' letters wait; its text may be personal.
                log.error("worker.step_failed", kind=type(error).__name__)
                stop.wait(TROUBLE_SECONDS)
            else:
                stop.wait(0 if busy else IDLE_SECONDS)


def keep_house(database: Database, catalogue: Catalogue) -> None:
    """Purge what is kept no longer: requests that lapse, evidence, suppressions, counters."""
    for chore in retention.chores(catalogue):
        _carry_out(database, chore)
    with database.transaction() as session:
        ratelimits.purge(session, clock.now())
        allowances.purge(session, clock.now())
    database.scrub()


def complete_mailboxes(database: Database, key: str) -> None:
    """Fill in what rows from before an upgrade lack; later there is nothing to do."""
    count, done = 0, MAILBOXES_AT_ONCE
    while done == MAILBOXES_AT_ONCE and count < MAILBOXES_A_ROUND:
        with database.transaction() as session:
            done = mailboxes.complete(session, key, at_most=MAILBOXES_AT_ONCE)
        count += done
    if count:
        log.info("mailboxes.completed", count=count)


def _carry_out(database: Database, chore: Chore) -> None:
    """A chore that fails is tried again at the next round, and keeps no other waiting."""
    try:
        count = retention.carry_out(database, chore)
    except Exception as error:
        if is_away(error):
            raise
        log.error("worker.chore_failed", chore=chore.kind, newsletter=chore.newsletter, kind=type(error).__name__)
    else:
        if count:
            log.info(chore.kind, newsletter=chore.newsletter, count=count)


@contextmanager
def post_office(app: Flask, stop: threading.Event) -> Iterator[PostOffice]:
    at_hand: Services = services.of(app)
    carrier = delivery.carrier(at_hand.settings)
    server = at_hand.settings.mail_server
    slowest = timedelta(seconds=REPLIES_A_LETTER * server.timeout if server else 1)
    with app.app_context():
        try:
            yield PostOffice(
                carrier=carrier,
                links=at_hand.links,
                catalogue=at_hand.catalogue.get,
                measure=Measure(at_hand.settings.send_limits, at_hand.settings.suppression_key),
                slowest=slowest,
                stop=stop,
            )
        finally:
            carrier.close()
