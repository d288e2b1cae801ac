import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import time_machine
from flask import Flask

from app import clock
from app.mail.delivery import exchange
from app.newsletters import apply
from app.privacy.clock_check import ClockCheck
from app.resources import install, resources_of
from app.web.application import create_app, install_resources
from config import Settings
from tests import attack, scripted_smtp, smtp, timestamps
from tests.catalogues import CATALOGUE, EXAMPLE, Write
from tests.clocks import Clock
from tests.forged_logs import Part
from tests.moving import asked, gone
from tests.receipts import receipt_text
from tests.scripted_smtp import ScriptedServer
from tests.service import ADA, Service
from tests.timestamps import Authority

_IDLE: dict[Settings, list[Flask]] = defaultdict(list)
"""By the settings that an application is assembled by; it gets others for each test."""

OpenService = Callable[..., Service]


@pytest.fixture
def mail_server() -> Iterator[smtp.MailServer]:
    with smtp.running() as server:
        yield server


@pytest.fixture
def service(settings: Settings, mail_server: smtp.MailServer) -> Iterator[Service]:
    with _opened(settings, mail_server, CATALOGUE) as service:
        yield service


@pytest.fixture
def open_service(settings: Settings, mail_server: smtp.MailServer) -> Iterator[OpenService]:
    """Makes services that differ from `service` in a catalogue, a mail server, or settings given by name."""
    with ExitStack() as opened:

        def open_(
            catalogue: dict[str, Any] = CATALOGUE, mail: smtp.MailServer = mail_server, **different: Any
        ) -> Service:
            assert settings.mail_server is not None
            host = replace(settings.mail_server, port=mail.port)
            changed = replace(settings, **{"mail_server": host, **different})
            return opened.enter_context(_opened(changed, mail, catalogue))

        yield open_


@pytest.fixture
def authority(tmp_path: Path) -> Iterator[Authority]:
    """States the time of checkpoints."""
    with timestamps.running(tmp_path / "authority") as running:
        yield running


@pytest.fixture
def moved() -> Iterator[Clock]:
    """To be set on by a test; it goes on between."""
    with time_machine.travel("2026-11-23 20:00:00+00:00", tick=True) as clock:
        yield clock


@pytest.fixture
def tokens(service: Service) -> dict[str, str]:
    service.confirmed("bea@example.org")
    undo = gone(service, "bea@example.net", "bea@example.org").link
    address = asked(service, "bea@example.com", "bea@example.net").link
    done = service.confirmed().link
    service.subscribe("grace@example.org", newsletters=["weekly", "events"])
    open_ = service.letter().link
    service.work()
    weekly = service.status()["weekly"]
    links, until = resources_of(service.app).links, clock.now() + timedelta(minutes=30)
    (ada,) = service.rows(f"SELECT id FROM subscribers WHERE address = '{ADA}'")
    fresh = {"receipt": links.receipt(UUID(weekly["id"]), until), "fresh": links.manage(UUID(str(ada.id)), until)}
    notice = resources_of(service.app).catalogue.get().newsletters["weekly"].notices["nl"][0]
    ours = {
        name: url.removeprefix("https://subscribe.example.org") for name, url in {**weekly["links"], **fresh}.items()
    }
    return {
        "done": done,
        "open": open_,
        "subscription": weekly["id"],
        "notice": notice,
        "address": address,
        "undo": undo,
        **ours,
    }


@pytest.fixture
def attacked(service: Service) -> Service:
    """The service while somebody attacks the newsletter `weekly`."""
    attack.begin(service.database)
    return service


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """The example catalogue, with one text in it replaced by another."""

    def write(old: str, new: str) -> Path:
        assert old in EXAMPLE
        path = tmp_path / "newsletters.toml"
        path.write_text(EXAMPLE.replace(old, new, 1), encoding="utf-8")
        return path

    return write


@pytest.fixture
def receipt(service: Service) -> Part:
    """Of somebody who confirmed, as its JSON is read."""
    service.confirmed(language="en")
    found: Part = json.loads(receipt_text(service))
    return found


@contextmanager
def _opened(settings: Settings, mail: smtp.MailServer, catalogue: dict[str, Any]) -> Iterator[Service]:
    with _application(settings) as app:
        # The clock is moved by tests on purpose, and nothing that it could be held against moves with it.
        install(app, replace(resources_of(app), clock_check=ClockCheck([])))
        with resources_of(app).database.transaction() as session:
            apply.apply(session, catalogue)
        yield Service(app, mail)
        resources_of(app).database.dispose()


@contextmanager
def _application(settings: Settings) -> Iterator[Flask]:
    """One that another test is done with, if there is any: routes and templates take longer to compile than a test."""
    assembled_by = replace(settings, database_url="", mail_server=None, instance=Path())
    if idle := _IDLE[assembled_by]:
        app = idle.pop()
        install_resources(app, settings)
    else:
        app = create_app(settings)
    yield app
    idle.append(app)


@pytest.fixture
def relay(monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedServer]:
    # They are ten minutes and five seconds.
    monkeypatch.setattr(exchange, "CONTENT_SECONDS", 3.0)
    monkeypatch.setattr(exchange, "SLICE_SECONDS", 0.2)
    with scripted_smtp.scripted() as server:
        yield server
