"""Mail loop: delivers letters when they are due."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from flask import Flask

from app.mail import delivery, send
from app.mail.claim import Measure
from app.mail.envelope import EnvelopeMemory
from app.mail.send import SendingContext
from app.resources import Resources, resources_of

log = structlog.get_logger()

IDLE_SECONDS = 0.5
TROUBLE_SECONDS = 5


def run_once(app: Flask) -> None:
    resources = resources_of(app)
    with sending_context(app, threading.Event()) as context:
        while send.deliver_due(resources.database, context):
            pass


def run(app: Flask, stop: threading.Event) -> None:
    resources = resources_of(app)
    with sending_context(app, stop) as context:
        while not stop.is_set():
            try:
                busy = send.deliver_due(resources.database, context)
            except Exception as error:
                # Usually the database is down. The loop goes on, because letters wait; error texts may be personal.
                log.error("worker.step_failed", kind=type(error).__name__)
                stop.wait(TROUBLE_SECONDS)
            else:
                stop.wait(0 if busy else IDLE_SECONDS)


@contextmanager
def sending_context(app: Flask, stop: threading.Event) -> Iterator[SendingContext]:
    resources: Resources = resources_of(app)
    transport = delivery.transport(resources.settings)
    with app.app_context():
        try:
            yield SendingContext(
                transport=transport,
                links=resources.links,
                catalogue=resources.catalogue.get,
                measure=Measure(resources.settings.send_limits, resources.settings.suppression_key),
                envelope=EnvelopeMemory(resources.database, resources.settings.mail_server, transport),
                stop=stop,
            )
        finally:
            transport.close()
