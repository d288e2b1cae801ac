"""Letters as a stranger's mail server gets them: every kind in every language, of several catalogues.

Web application and worker run in this process, and hand each letter to a real SMTP server; in front of it come the
lines that the relay and the stranger's server would write. Nothing else is added: no relay has signed it.
"""

import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import structlog

import config
from app import clock
from app import database as databases
from app.database import schema
from app.newsletters import apply
from app.newsletters.definitions import LANGUAGES
from app.resources import resources_of
from app.web.application import create_app
from tests import smtp
from tests.catalogues import CATALOGUE, catalogue
from tests.correspondence import LETTERS, SHOP
from tests.service import ADA, Letter, Service
from trials import stage

RELAY, RELAY_IP = "mail.example.org", "198.18.0.25"
"""An address for benchmarks (RFC 2544): one of the ranges for examples is a fault in itself to a filter."""
LONG = {
    "nl": "met alles over lezingen, signeersessies, wedstrijden en de winkel in Gent",
    "fr": "avec tout sur les lectures, les séances de dédicaces, les concours et la librairie à Gand",
    "de": "mit allem über Lesungen, Signierstunden, Wettbewerbe und den Laden in Gent",
    "en": "with all about readings, signings, competitions and the shop in Ghent",
}
_HEAD = """\
Return-Path: <{sender}>
Received: from {relay} ({relay} [{ip}])
 (using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits))
 by mx.example.net (Postfix) with ESMTPS id 4ZkQ7c2hBqz9sXf
 for <{recipient}>; {date}
Received: from subscribe.example.org (subscribe.example.org [198.18.0.26])
 by {relay} (Postfix) with ESMTPS id 4ZkQ7b6Wn1zKp3c
 for <{recipient}>; {date}
"""
Catalogue = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Incoming:
    name: str
    """Such as `accents confirmation fr`."""
    sender: str
    """Of the envelope, as is the recipient."""
    recipient: str
    raw: bytes


def confirmation_of_all(service: Service, language: str) -> Letter:
    """With all that such a letter can hold: several newsletters, the page of the form, a code."""
    # The first one says which languages there are.
    offered = sorted(resources_of(service.app).catalogue.get().newsletters, reverse=True)
    fields = {"newsletters": offered, "language": language, "attempt": "an id that the form has chosen"}
    service.post("/subscribe", json={"email": ADA, "consent": True, **fields}, headers=SHOP)
    return service.letter()


def _accents() -> Catalogue:
    """Names and titles as they are in Belgium, and an address for answers."""
    titles = {
        "nl": "Geïllustreerde boeken",
        "fr": "Été à Liège",
        "de": "Größere Bücher für Köln",
        "en": "Letter from Zoë",
    }
    changed = catalogue(title=titles)
    changed["controller"].update(name="Boekhandel Müller", address="Große Straße 1, 4780 Sankt Vith, België")
    for each in changed["newsletter"]:
        each.update(sender="Boekhandel Müller <news@example.org>", reply_to="desk@example.org")
    return changed


def _long() -> Catalogue:
    """Six newsletters with long titles and purposes, from a sender without a name."""
    (weekly, *_) = catalogue(sender="news@example.org")["newsletter"]
    weekly["title"] = {language: f"{text} (2026, {LONG[language]})" for language, text in weekly["title"].items()}
    weekly["purpose"] = {language: f"{text} ({LONG[language]})" for language, text in weekly["purpose"].items()}
    slugs = ("books", "children", "events", "press", "school", "weekly")
    return {**catalogue(), "newsletter": [{**weekly, "slug": slug} for slug in slugs]}


def _elsewhere() -> Catalogue:
    """From a domain that the service is not in, by a controller who answers at a third."""
    changed = catalogue(sender="Voorbeeld <news@letters.example.com>")
    changed["controller"]["email"] = "privacy@example.net"
    return changed


SCENES: dict[str, Callable[[], Catalogue]] = {
    "example": lambda: CATALOGUE,
    "accents": _accents,
    "long": _long,
    "elsewhere": _elsewhere,
}
STORIES = {**LETTERS, confirmation_of_all.__name__: confirmation_of_all}


def arrivals() -> Iterator[Incoming]:
    """Each letter is the first of its service: nobody has to wait for a second one."""
    with tempfile.TemporaryDirectory() as folder, smtp.running() as server:
        empty = Path(folder) / "empty.sqlite"
        _migrate(f"sqlite:///{empty}")
        for scene, catalogue_of in SCENES.items():
            for story, write in STORIES.items():
                for language in LANGUAGES:
                    with _service(empty, server, catalogue_of()) as service:
                        delivered = write(service, language).delivered
                    yield _arrived(f"{scene} {story} {language}", delivered)


def _migrate(url: str) -> None:
    opened = databases.connect(url)
    schema.migrate(opened)
    opened.dispose()


@contextmanager
def _service(empty: Path, server: smtp.MailServer, written: Catalogue) -> Iterator[Service]:
    with tempfile.TemporaryDirectory() as folder:
        copy = shutil.copy(empty, Path(folder) / "jawel.sqlite")
        os.environ.update(stage.environment(f"sqlite:///{copy}", server.port))
        app = create_app(config.load(Path(folder)))
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
        with resources_of(app).database.transaction() as session:
            apply.apply(session, written)
        yield Service(app, server)
        resources_of(app).database.dispose()


def _arrived(name: str, delivered: smtp.Delivered) -> Incoming:
    date = format_datetime(clock.now())
    head = _HEAD.format(
        sender=delivered.sender, recipient=delivered.recipient, relay=RELAY, ip=RELAY_IP, date=date
    ).replace("\n", "\r\n")
    return Incoming(name, delivered.sender, delivered.recipient, head.encode() + delivered.raw)
