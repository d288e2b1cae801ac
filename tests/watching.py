"""What a request has the database do, watched, and answers and work compared that must not differ."""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine, event
from werkzeug.test import TestResponse

from app import api_keys, cache
from app.resources import resources_of
from tests.service import BROWSER, Service


class Work(list[tuple[str, str]]):
    """Every statement that was sent to the database, and by which pool."""

    def __init__(self) -> None:
        self.handed: dict[str, list[dict[str, Any]]] = {}
        """Rows to write, by table; those too that the database undoes."""

    @property
    def rows(self) -> dict[str, int]:
        return {table: len(rows) for table, rows in self.handed.items() if rows}

    def hand(self, table: str, text: object) -> None:
        if isinstance(text, str) and text.startswith("["):
            self.handed.setdefault(table.removeprefix("undone_"), []).extend(json.loads(text))

    @contextmanager
    def watched(self, service: Service) -> Iterator[None]:
        pools = {"writer": service.database.writer, "reader": service.database.reader}
        watch = self._on_sqlite if service.database.writer.dialect.name == "sqlite" else self._on_postgresql
        with watch(pools):
            yield

    @contextmanager
    def _on_sqlite(self, pools: dict[str, Engine]) -> Iterator[None]:
        notes = {name: self._note(name) for name in pools}
        for name, engine in pools.items():
            event.listen(engine, "before_cursor_execute", notes[name])
        try:
            yield
        finally:
            for name, engine in pools.items():
                event.remove(engine, "before_cursor_execute", notes[name])

    def _note(self, pool: str) -> Callable[..., None]:
        def noting(_connection: object, _cursor: object, statement: str, values: Any, *_rest: object) -> None:
            self.append((pool, statement))
            if statement.startswith("INSERT INTO"):
                for value in values:
                    self.hand(statement.split()[2], value)

        return noting

    @contextmanager
    def _on_postgresql(self, _pools: dict[str, Engine]) -> Iterator[None]:
        """At the driver, where every statement passes, whoever sent it."""
        execute = psycopg.Cursor.execute

        def noting(cursor: psycopg.Cursor[Any], query: Any, *rest: Any, **options: Any) -> Any:
            reads = "read_only" in cursor.connection.info.get_parameters().get("options", "")
            self.append(("reader" if reads else "writer", str(query)))
            for values in rest:
                for name, value in values.items() if isinstance(values, Mapping) else ():
                    self.hand(name, value)
            return execute(cursor, query, *rest, **options)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(psycopg.Cursor, "execute", noting)
            yield


def watched(service: Service, ask: Callable[[], TestResponse]) -> tuple[TestResponse, Work]:
    """But for what each process looks up once a second, whoever asks."""
    resources_of(service.app).catalogue.get()
    work = Work()
    with pytest.MonkeyPatch.context() as patch, work.watched(service):
        patch.setattr(cache, "FRESH_FOR_SECONDS", 3600)
        patch.setattr(api_keys, "TRUSTED_FOR_SECONDS", 3600)
        answer = ask()
    return answer, work


def asks(service: Service, fields: dict[str, Any], kind: str, *, client: str) -> Callable[[], TestResponse]:
    """From a client of its own: the second request of one is counted elsewhere than the first."""
    origin = {"environ_base": {"REMOTE_ADDR": client}}
    if kind == "json":
        return lambda: service.post("/subscribe", json={**fields, "consent": True}, **origin)
    return lambda: service.post("/subscribe", data={**fields, "consent": "yes"}, headers=BROWSER, **origin)


def assert_as_much(work: Work, expected: Work) -> None:
    """On SQLite what stays is written before what is undone, each table in its turn."""
    assert Counter(work) == Counter(expected)
    assert work.rows == expected.rows
    assert size(work) == pytest.approx(size(expected), rel=0.1)


def size(work: Work) -> int:
    """Characters of the rows beside the budget, which stays in every state."""
    return sum(len(json.dumps(rows)) for table, rows in work.handed.items() if table != "mail_budgets")


def assert_alike(answer: TestResponse, expected: TestResponse, attempts: dict[str, str] | None = None) -> None:
    """But for the attempt, which whoever asks has chosen."""

    def blank(text: str) -> str:
        for attempt in [each for pair in (attempts or {}).items() for each in pair]:
            text = text.replace(attempt, "…")
        return text

    assert answer.status == expected.status
    assert blank(answer.text) == blank(expected.text)
    assert [(name, blank(value)) for name, value in without_lengths(answer)] == [
        (name, blank(value)) for name, value in without_lengths(expected)
    ]


OF_EACH_ANSWER = ("Date", "Content-Length", "X-Request-Id")


def without_lengths(answer: TestResponse) -> list[tuple[str, str]]:
    return [(name, value) for name, value in answer.headers if name not in OF_EACH_ANSWER]
