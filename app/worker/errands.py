"""Letters, whenever they are due."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import structlog
from flask import Flask

from app import services
from app.mail import delivery, sending
from app.mail.admission import Measure
from app.mail.sending import PostOffice
from app.services import Services

log = structlog.get_logger()

IDLE_SECONDS = 0.5
TROUBLE_SECONDS = 5
REPLIES_A_LETTER = 7
"""Connecting, STARTTLS, AUTH, MAIL, RCPT, DATA and its end: each may take as long as the time-out."""


def run_once(app: Flask) -> None:
    at_hand = services.of(app)
    with post_office(app, threading.Event()) as office:
        while sending.deliver_due(at_hand.database, office):
            pass


def run(app: Flask, stop: threading.Event) -> None:
    at_hand = services.of(app)
    with post_office(app, stop) as office:
        while not stop.is_set():
            try:
                busy = sending.deliver_due(at_hand.database, office)
            except Exception as error:
                # Mostly the database that is away. Whatever it is, the others' letters wait; its text may be personal.
                log.error("worker.step_failed", kind=type(error).__name__)
                stop.wait(TROUBLE_SECONDS)
            else:
                stop.wait(0 if busy else IDLE_SECONDS)


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
