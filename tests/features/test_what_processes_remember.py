"""What a process remembers of the database: for a moment, or for as long as the database is away."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from app import cache
from app.cache import TtlCache
from tests.catalogues import CATALOGUE
from tests.commands import PATIENCE_SECONDS
from tests.features.conftest import OpenService
from tests.service import Service, away


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
