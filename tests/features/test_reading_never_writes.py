"""Link scanners, prefetchers and the curious: whatever is read, nothing is written."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Engine, event, text
from sqlalchemy.exc import DBAPIError

from app import clock
from app.api_keys import Scope
from app.resources import resources_of
from tests.moving import asked, gone
from tests.service import ADA, BROWSER, Service

READ_ONLY = {"sqlite": "PRAGMA query_only=ON", "postgresql": "SET default_transaction_read_only TO on"}


@contextmanager
def refusing_writes(service: Service) -> Iterator[None]:
    """From here on the database takes no write from either pool."""

    def refuse(connection: Any, _record: object) -> None:
        cursor = connection.cursor()
        cursor.execute(READ_ONLY[service.database.writer.dialect.name])
        cursor.close()

    engines: list[Engine] = [service.database.writer, service.database.reader]
    for engine in engines:
        engine.dispose()
        event.listen(engine, "connect", refuse)
    try:
        yield
    finally:
        for engine in engines:
            event.remove(engine, "connect", refuse)
            engine.dispose()


def everything(service: Service) -> dict[str, list[str]]:
    return {table: sorted(map(str, service.rows(f"SELECT * FROM {table}"))) for table in service.counts()}


def urls(service: Service, tokens: dict[str, str]) -> list[str]:
    """Every route that answers GET, with genuine values for all that it asks for."""
    people = service.rows("SELECT id FROM subscribers")
    values: dict[str, list[str]] = {
        "/static/<path:filename>": ["/static/jawel.css"],
        "/confirm/<token>": [tokens["open"], tokens["done"]],
        "/confirm/<token>/decline": [f"{tokens['open']}/decline", f"{tokens['done']}/decline"],
        "/address/<token>": [tokens["address"]],
        "/address/<token>/decline": [f"{tokens['address']}/decline"],
        "/address/undo/<token>": [tokens["undo"]],
        "/unsubscribe/<token>": [tokens["unsubscribe"]],
        "/preferences/<token>": [tokens["preferences"], tokens["fresh"]],
        "/preferences/<token>/data": [f"{tokens['fresh']}/data"],
        "/preferences/<token>/data.json": [f"{tokens['fresh']}/data.json"],
        "/preferences/<token>/erase": [f"{tokens['fresh']}/erase"],
        "/preferences/<token>/link": [f"{tokens['preferences']}/link", f"{tokens['fresh']}/link"],
        "/newsletters/<slug>": ["/newsletters/weekly", "/newsletters/events?language=en"],
        "/privacy/<slug>": ["/privacy/weekly", "/privacy/events?language=en"],
        "/privacy/<slug>/<sha256>": [f"/privacy/weekly/{tokens['notice']}"],
        "/newsletters/<slug>/inbox": [
            "/newsletters/weekly/inbox?mailbox=gmail",
            "/newsletters/weekly/inbox?attempt=an-attempt-of-22-chars",
        ],
        "/newsletters/<slug>/embed": ["/newsletters/weekly/embed", "/newsletters/events/embed?language=fr"],
        "/receipts/<token>": [tokens["receipt"]],
        "/receipts/<token>/json": [f"{tokens['receipt']}/json"],
        "/api/v1/subscriptions/<subscription>/receipt": [f"/api/v1/subscriptions/{tokens['subscription']}/receipt"],
        "/api/v1/subscribers/<path:who>": [f"/api/v1/subscribers/{who}" for who in (ADA, people[0].id)],
        "/log/consistency": ["/log/consistency?from=1&to=3"],
        "/log/entries": ["/log/entries", "/log/entries?from=1&to=2"],
        # It tries to write, and says 503 here; see test_full_disk.py.
        "/readyz": [],
        "/api/v1/newsletters/<slug>/subscribers": ["/api/v1/newsletters/weekly/subscribers?limit=1"],
    }
    found = []
    for rule in service.app.url_map.iter_rules():
        if "GET" in (rule.methods or ()):
            assert rule.rule in values or not rule.arguments, f"say here how {rule.rule} is read"
            found += values.get(rule.rule, [rule.rule])
    return found


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


def test_every_page_is_read_while_the_database_refuses_to_write(service: Service, tokens: dict[str, str]) -> None:
    every = urls(service, tokens)
    key = service.key(Scope.ADMIN)
    before = everything(service)
    with refusing_writes(service):
        assert_writes_are_refused(service)
        for url in every:
            for headers in ({**BROWSER, **key}, {**key, "Accept": "application/json"}, {**key, "Accept": "text/csv"}):
                read = service.get(url, headers=headers, buffered=True)
                assert read.status_code == 200, url
                glanced = service.app.test_client().head(url, headers=headers, buffered=True)
                assert (glanced.status, glanced.data) == (read.status, b""), url
                assert sorted(glanced.headers) == sorted(read.headers), url
    assert everything(service) == before


def test_pages_that_answer_with_an_error_write_nothing_either(service: Service, tokens: dict[str, str]) -> None:
    letter = service.confirmed("lovelace@example.org")
    service.post(letter.one_click)
    key = service.key()
    before = everything(service)
    with refusing_writes(service):
        for url, status in {
            letter.link: 410,
            "/confirm/forged": 404,
            "/newsletters/unknown": 404,
            "/api/v1/subscribers/nobody@example.org": 404,
        }.items():
            assert service.get(url, headers={**BROWSER, **key}).status_code == status, url
    assert everything(service) == before


def assert_writes_are_refused(service: Service) -> None:
    assert service.subscribe("new@example.org").status_code in {500, 503}
    with pytest.raises(DBAPIError):
        service.key()
    with service.database.reader.connect() as connection, pytest.raises(DBAPIError):
        connection.execute(text("DELETE FROM letters"))
