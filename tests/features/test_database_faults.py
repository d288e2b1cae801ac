"""A database at fault: people get 503 and are told when to come back, nothing is half-written, nobody restarts us."""

import gc
import os
import signal
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from datetime import timedelta
from typing import Any

import psycopg
import pytest
import time_machine
from sqlalchemy import func, select, text
from sqlalchemy.exc import OperationalError, SQLAlchemyError
from werkzeug.test import TestResponse

from app import cache, worker
from app import database as databases
from app.cache import TtlCache
from app.database import connection_cache as resources
from app.database import schema, sqlite
from app.database.postgresql import POOL_SIZE
from app.ledger import audit
from app.ledger.audit.stored import stream
from app.resources import resources_of
from app.web import health
from app.web.http import retry
from app.worker import housekeeping, mail_loop, sealer
from tests import machine
from tests.catalogues import CATALOGUE
from tests.commands import PATIENCE_SECONDS, Jawel, eventually
from tests.concurrency import await_lock
from tests.engines import on_postgresql, on_sqlite
from tests.features.conftest import OpenService
from tests.postgresql import MortalServer, mortal_server
from tests.refusing import refusing
from tests.service import BOTH, BROWSER, COOL_DOWN, Service, away, everything


@on_postgresql
@pytest.mark.parametrize("act", ["ask again", "confirm", "leave"])
def test_what_a_deadlock_undid_is_done_again(service: Service, act: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with time_machine.travel("2026-11-23 20:00:00+00:00", tick=True) as clock, ThreadPoolExecutor(1) as pool:
        service.subscribe(newsletters=BOTH)
        link = service.letter().link
        leave = (service.status() or {})["weekly"]["links"]["unsubscribe"].removeprefix("https://subscribe.example.org")
        clock.shift(COOL_DOWN)
        # Each looks once, so long after it began to wait: by then the other has to wait as well.
        let_deadlocks_be_found(service, "3s")
        acts: dict[str, Callable[[], TestResponse]] = {
            "ask again": lambda: service.subscribe(newsletters=BOTH),
            "confirm": lambda: service.post(link),
            "leave": lambda: service.post(leave, data={"all": "1"}),
        }
        if act == "ask again":
            # A signup starts over by itself, and needs nobody to ask it again.
            monkeypatch.setattr(retry, "ATTEMPTS", 1)
        before = service.counts()["consent_events"]
        with service.database.transaction() as session:
            # The wrong way round; and patient, so that it is the other one that finds the deadlock.
            session.execute(text("SET LOCAL deadlock_timeout = '60s'"))
            session.execute(text("SELECT id FROM subscriptions WHERE newsletter = 'weekly' FOR UPDATE"))
            acting = pool.submit(acts[act])
            await_lock(service)
            session.execute(text("SELECT id FROM subscriptions WHERE newsletter = 'events' FOR UPDATE"))
        assert acting.result().status_code in (200, 202)
        assert service.counts()["consent_events"] == before + 2


def let_deadlocks_be_found(service: Service, after: str) -> None:
    name = service.rows("SELECT current_database() AS name")[0].name
    with service.database.writer.connect() as connection:
        connection.execute(text(f"ALTER DATABASE {name} SET deadlock_timeout = '{after}'"))
    service.database.dispose()


@on_postgresql
def test_a_request_that_has_kept_something_is_not_done_twice(service: Service) -> None:
    kept = []

    @service.app.post("/kept-and-undone")
    def view() -> str:
        with service.database.transaction() as session:
            kept.append(session.execute(text("SELECT 1")).scalar())
        with service.database.transaction() as session:
            session.execute(text("DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '40001'; END $$"))
        return "done"

    assert away(service.post("/kept-and-undone"))
    assert kept == [1]


@on_postgresql
def test_with_the_connections_of_readers_those_of_writers_are_given_up(service: Service) -> None:
    link = prepare(service)
    cut_connections(service)
    assert away(service.get(link))
    assert service.get(link).status_code == 200
    assert service.post(link).status_code == 200


def cut_connections(service: Service) -> None:
    with psycopg.connect(resources_of(service.app).settings.database_url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


@on_postgresql
def test_a_connection_whose_pool_was_given_up_is_closed_when_it_comes_back(service: Service) -> None:
    with service.database.read_only() as connection:
        used = connection.scalar(text("SELECT pg_backend_pid()"))
        service.database.dispose()
    gc.collect()
    eventually(lambda: not service.rows(f"SELECT 1 FROM pg_stat_activity WHERE pid = {used}"))


@on_postgresql
@pytest.mark.parametrize("noticed", ["at the next question", "when it is closed"])
def test_a_stream_is_gone_with_its_connection(service: Service, noticed: str) -> None:
    with suppress(OperationalError), audit.snapshot(service.database) as connection:
        if noticed == "at the next question":
            with stream(connection, select(func.generate_series(1, 5000))) as rows:
                next(rows)
                cut_connections(service)
                stream(connection, select(1))
        else:
            with stream(connection, select(1)):
                cut_connections(service)
    # What psycopg says of a cursor that is left open, it says when the cursor is collected: it fails this test.
    gc.collect()


def prepare(service: Service) -> str:
    service.subscribe()
    return service.letter().link


@on_postgresql
def test_after_any_statement_that_meets_a_standby_both_pools_look_for_the_primary(service: Service) -> None:
    link = prepare(service)
    with ExitStack() as pool:
        for _ in range(3):
            connection = pool.enter_context(service.database.writer.connect())
            connection.execute(text("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY"))
    before = reader_of(service)
    assert away(service.post(link))
    assert reader_of(service) != before
    assert service.post(link).status_code == 200


def reader_of(service: Service) -> Any:
    return service.rows("SELECT pg_backend_pid()")[0][0]


@on_postgresql
def test_whoever_finds_no_free_connection_is_told_to_come_back(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.subscribe("grace@example.org")
    monkeypatch.setattr(service.database.writer.pool, "_timeout", 0.1)
    with ExitStack() as pool:
        for _ in range(POOL_SIZE):
            pool.enter_context(service.database.single_statement())
        assert away(service.subscribe())
        assert service.get("/healthz").status_code == 200
    assert service.subscribe().status_code == 202
    with ExitStack() as pool:
        # As many as those that are kept at hand for one statement leave room for.
        for _ in range(POOL_SIZE - resources.MOST):
            pool.enter_context(service.database.transaction()).execute(text("SELECT 1"))


@on_postgresql
def test_a_lock_that_is_never_given_up_is_waited_for_in_vain_and_not_for_ever(
    open_service: OpenService, database_url: str
) -> None:
    service = open_service(database_url=f"{database_url}&options=-c%20lock_timeout%3D200ms")
    link = prepare(service)
    before = everything(service)
    with psycopg.connect(database_url) as connection:
        connection.execute("SELECT id FROM subscriptions FOR UPDATE")
        assert away(service.post(link))
    assert everything(service) == before
    assert service.post(link).status_code == 200


@on_sqlite
def test_while_another_process_writes_for_long_others_are_told_to_come_back(
    open_service: OpenService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "PRAGMAS", ("busy_timeout=100", *sqlite.PRAGMAS[1:]))
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT", "busy_timeout=100")
    service = open_service()
    link = prepare(service)
    before = everything(service)
    other = sqlite3.connect(service.database.writer.url.database or "", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert away(service.post(link))
    assert away(service.subscribe("grace@example.org"))
    assert service.get(link).status_code == 200
    other.close()
    assert everything(service) == before
    assert service.post(link).status_code == 200
    assert service.subscribe("grace@example.org").status_code == 202


@on_sqlite
@pytest.mark.parametrize("fault", ["full", "read-only"])
def test_a_disk_that_takes_no_more_leaves_nothing_half_written(service: Service, fault: str) -> None:
    link = prepare(service)
    faults = {"full": ("max_page_count=1", "max_page_count=1000000"), "read-only": ("query_only=1", "query_only=0")}
    begins, ends = faults[fault]
    pragma(service, begins)
    before, number = everything(service), 0
    # There is some room yet in the pages that the file has.
    while (answer := service.subscribe(f"ada{number}@example.org")).status_code == 202:
        before, number = everything(service), number + 1
    assert away(answer)
    assert everything(service) == before
    assert service.get(link).status_code == 200
    pragma(service, ends)
    assert service.post(link).status_code == 200


def pragma(service: Service, setting: str) -> None:
    with closing(service.database.writer.raw_connection()) as connection:
        connection.cursor().execute(f"PRAGMA {setting}").close()


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


def test_while_one_looks_anew_the_others_make_do_with_what_was_known(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "FRESH_FOR_SECONDS", 0.0)
    looking, go_on, looks = threading.Event(), threading.Event(), []

    def look(_connection: object) -> int:
        looks.append(1)
        if len(looks) > 1:
            looking.set()
            go_on.wait(PATIENCE_SECONDS)
        return len(looks)

    known = TtlCache(service.database, look)
    assert known.get() == 1
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(known.get)
        assert looking.wait(PATIENCE_SECONDS)
        # Whoever waited for the one who looks would come back with what it found.
        assert [known.get(), known.get()] == [1, 1]
        go_on.set()
        assert slow.result() == 2


def test_what_was_known_holds_for_a_minute_and_then_nobody_queues_for_it(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[int] = []

    def look(connection: Any) -> str:
        looks.append(1)
        return str(connection.execute(text("SELECT 1 FROM subscribers" if len(looks) == 1 else "SELECT no")))

    known = TtlCache(service.database, look)
    value = known.get()
    monkeypatch.setattr(cache, "FRESH_FOR_SECONDS", 600.0)
    known._read_at -= cache.FRESH_FOR_SECONDS
    monkeypatch.setattr(cache, "GOOD_FOR_SECONDS", 3600.0)
    assert [known.get(), known.get()] == [value, value]
    assert len(looks) == 2
    monkeypatch.setattr(cache, "GOOD_FOR_SECONDS", 0.0)
    with pytest.raises(SQLAlchemyError):
        known.get()
    assert len(looks) == 2


def test_a_newsletter_that_another_process_has_just_added_is_a_reason_to_come_back(
    open_service: OpenService, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = open_service()
    key = old.key()
    assert old.get("/newsletters/weekly").status_code == 200
    monkeypatch.setattr(cache, "FRESH_FOR_SECONDS", 3600.0)
    template = CATALOGUE["newsletter"][0]
    new = open_service({**CATALOGUE, "newsletter": [*CATALOGUE["newsletter"], {**template, "slug": "brand-new"}]})
    assert new.subscribe(newsletters="brand-new").status_code == 202
    assert away(old.get("/api/v1/subscribers/ada@example.org", headers=key))
    monkeypatch.setattr(cache, "FRESH_FOR_SECONDS", 0.0)
    assert old.get("/api/v1/subscribers/ada@example.org", headers=key).status_code == 200


def test_a_chore_that_fails_keeps_no_other_waiting(service: Service) -> None:
    resources = resources_of(service.app)
    with time_machine.travel("2026-11-23 20:00:00+00:00", tick=True) as clock:
        link = prepare(service)
        service.post(f"{link}/decline")
        clock.shift(timedelta(days=31))
        with refusing(service, "suppressions"):
            housekeeping.purge_all_due(resources)
            assert service.counts()["suppressions"] == 2
            assert service.counts()["mail_budgets"] == 0
        housekeeping.purge_all_due(resources)
        assert service.counts()["suppressions"] == 0
