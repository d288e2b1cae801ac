"""Mail loop: delivers letters when they are due."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from flask import Flask

from app.feedback.providers import letter_header
from app.mail import delivery
from app.mail.claim import Measure
from app.mail.dispatch import Dispatcher
from app.mail.envelope import EnvelopeMemory
from app.mail.extra_headers import ExtraHeaders
from app.mail.send import SendingContext
from app.resources import resources_of
from config import Settings

log = structlog.get_logger()

TROUBLE_SECONDS = 5


def run_once(app: Flask) -> None:
    with dispatcher(app, threading.Event()) as mail:
        mail.deliver_all()


def run(app: Flask, stop: threading.Event) -> None:
    with dispatcher(app, stop) as mail:
        while not stop.is_set():
            try:
                mail.pause(mail.claim_due())
            except Exception as error:
                # Usually the database is down. The loop goes on, because letters wait; error texts may be personal.
                log.error("worker.step_failed", kind=type(error).__name__)
                stop.wait(TROUBLE_SECONDS)


@contextmanager
def dispatcher(app: Flask, stop: threading.Event) -> Iterator[Dispatcher]:
    mail = Dispatcher(resources_of(app).database, sending_context(app, stop))
    try:
        yield mail
    finally:
        mail.close()


def sending_context(app: Flask, stop: threading.Event) -> SendingContext:
    resources = resources_of(app)
    settings = resources.settings
    relay = delivery.relay(settings)
    return SendingContext(
        relay=relay,
        links=resources.links,
        catalogue=resources.catalogue.get,
        measure=Measure(settings.send_limits, settings.suppression_key),
        envelope=EnvelopeMemory(resources.database, settings.mail_server, relay.profile),
        templates=app.app_context,
        extra_headers=_extra_headers(settings),
        stop=stop,
    )


def _extra_headers(settings: Settings) -> ExtraHeaders:
    """A provider that may not report to us has nothing to pass back."""
    server, feedback = settings.mail_server, settings.feedback
    return ExtraHeaders(letter_header(server.host) if server and feedback.secret else None, feedback.sender_id)
