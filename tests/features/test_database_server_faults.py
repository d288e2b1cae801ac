"""A PostgreSQL server that restarts or hangs: it costs an answer at most, and no restart of ours."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from app import cache, worker
from app import database as databases
from app.database import schema
from app.web import health
from app.web.http import retry
from app.worker import housekeeping, mail_loop, sealer
from tests import machine
from tests.commands import Jawel, eventually
from tests.engines import on_sqlite
from tests.features.conftest import OpenService
from tests.postgresql import MortalServer, mortal_server
from tests.service import BROWSER, Service, away


@pytest.fixture(scope="module")
def server() -> Iterator[MortalServer]:
    with mortal_server(machine.require(machine.POSTGRESQL)) as server:
        server.execute("CREATE DATABASE jawel")
        opened = databases.connect(server.url("jawel"))
        schema.migrate(opened)
        opened.dispose()
        yield server


@pytest.fixture
def mortal(open_service: OpenService, server: MortalServer) -> Service:
    """A service whose database server may be stopped."""
    return open_service(database_url=f"{server.url('jawel')}&connect_timeout=2")


@on_sqlite
@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_a_restart_of_the_server_costs_an_answer_and_no_restart_of_ours(
    mortal: Service, server: MortalServer, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Else whoever looks for the catalogue anew may find out first, and then it costs no answer.
    monkeypatch.setattr(cache, "FRESH_FOR_SECONDS", 3600.0)
    email = f"ada@{mode}.example.org"
    assert mortal.subscribe(f"grace@{mode}.example.org").status_code == 202
    server.restart(mode)
    assert away(mortal.subscribe(email))
    assert mortal.subscribe(email).status_code == 202
    assert email in {letter.delivered.recipient for letter in mortal.deliver()}


@on_sqlite
def test_worker_and_sealer_outlive_the_server(
    mortal: Service, server: MortalServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (mail_loop, housekeeping, sealer):
        monkeypatch.setattr(module, "TROUBLE_SECONDS", 0.1)
    stop = threading.Event()
    working = threading.Thread(target=worker.run, args=(mortal.app, stop))
    working.start()
    try:
        server.restart("immediate")
        time.sleep(0.3)
        eventually(lambda: mortal.subscribe("ada@worker.example.org").status_code == 202)
        eventually(lambda: "ada@worker.example.org" in {each.recipient for each in mortal.mail.letters})
        eventually(lambda: mortal.rows("SELECT count(*) FROM unsealed_events")[0][0] == 0)
    finally:
        stop.set()
        working.join()


@on_sqlite
def test_a_server_that_hangs_is_waited_for_in_vain_and_not_for_ever(
    mortal: Service, server: MortalServer, jawel: Jawel, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert mortal.get("/newsletters/weekly", headers=BROWSER).status_code == 200
    with hanging(server), monkeypatch.context() as impatient:
        impatient.setattr(retry, "PATIENCE_SECONDS", 1.0)
        impatient.setattr(health, "PATIENCE_SECONDS", 1.0)
        impatient.setattr(cache, "GOOD_FOR_SECONDS", 3600.0)
        assert away(mortal.subscribe("ada@hanging.example.org"))
        assert mortal.get("/readyz").status_code == 503
        assert mortal.get("/healthz").status_code == 200
        # What the catalogue says is known yet.
        time.sleep(cache.FRESH_FOR_SECONDS)
        assert mortal.get("/newsletters/weekly", headers=BROWSER).status_code == 200
        result = jawel("doctor", DATABASE_URL=f"{server.url('jawel')}&connect_timeout=2")
        assert result.exit_code == 1
        assert "fail  database: postgresql, jawel on " in result.stdout
        assert "the database does not answer" in result.stdout
        assert "ok    mail" in result.stdout
    assert mortal.get("/readyz").status_code == 200
    assert mortal.subscribe("ada@hanging.example.org").status_code == 202


@contextmanager
def hanging(server: MortalServer) -> Iterator[None]:
    pids = server.pids()
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
