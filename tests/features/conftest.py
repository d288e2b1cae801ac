import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from app import create_app, services
from app.newsletters import apply
from config import Settings
from tests import smtp
from tests.service import Service

CATALOGUE = tomllib.loads((Path(__file__).parents[2] / "newsletters.example.toml").read_text())


@pytest.fixture
def mail_server() -> Iterator[smtp.MailServer]:
    with smtp.running() as server:
        yield server


@pytest.fixture
def service(settings: Settings, mail_server: smtp.MailServer) -> Iterator[Service]:
    app = create_app(settings)
    with services.of(app).database.transaction() as session:
        apply.apply(session, CATALOGUE)
    yield Service(app, mail_server)
    services.of(app).database.dispose()
