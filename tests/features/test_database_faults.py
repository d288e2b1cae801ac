"""A database at fault: people get 503 and are told when to come back, and nothing is half-written."""

import gc
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from datetime import timedelta
from typing import Any

import psycopg
import pytest
import time_machine
from sqlalchemy import func, select, text
from sqlalchemy.exc import OperationalError
from werkzeug.test import TestResponse

from app.database import connection_cache as resources
from app.database import sqlite
from app.database.postgresql import POOL_SIZE
from app.ledger import audit
from app.ledger.audit.stored import stream
from app.resources import resources_of
from app.web.application import create_app
from app.web.http import retry
from app.worker import housekeeping
from tests.commands import eventually
from tests.concurrency import await_lock
from tests.engines import on_postgresql, on_sqlite
from tests.features.conftest import OpenService
from tests.refusing import refusing
from tests.service import BOTH, COOL_DOWN, Service, away, everything


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
    app = create_app(resources_of(service.app).settings)

    @app.post("/kept-and-undone")
    def view() -> str:
        with service.database.transaction() as session:
            kept.append(session.execute(text("SELECT 1")).scalar())
        with service.database.transaction() as session:
            session.execute(text("DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '40001'; END $$"))
        return "done"

    assert away(app.test_client().post("/kept-and-undone"))
    assert kept == [1]
    resources_of(app).database.dispose()


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
