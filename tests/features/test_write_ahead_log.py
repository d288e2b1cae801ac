"""SQLite's write-ahead log: emptied when those who read are done, cut when it was large, and told where it stays."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import structlog
from sqlalchemy import text

from app.database import Database, sqlite
from tests.commands import Jawel, eventually, findings
from tests.service import Service

pytestmark = pytest.mark.parametrize("engine", ["sqlite"])
MEGABYTES = 20


@pytest.fixture
def path(database_url: str) -> Path:
    return Path(database_url.removeprefix("sqlite:///"))


@pytest.fixture
def reader(path: Path) -> Iterator[sqlite3.Connection]:
    """Somebody who opens a shell on the database."""
    with closing(sqlite3.connect(path, isolation_level=None)) as shell:
        yield shell


def held(path: Path) -> int:
    return path.with_name(f"{path.name}-wal").stat().st_size


def read_on(reader: sqlite3.Connection) -> None:
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM subscribers").fetchone()


def write_much(database: Database) -> None:
    """As a large purge does, in one transaction."""
    with database.transaction() as session:
        session.execute(text("CREATE TABLE much (bytes)"))
        session.execute(text(f"INSERT INTO much VALUES (randomblob({MEGABYTES} * 1024 * 1024))"))


def test_what_a_reader_holds_up_is_told_tried_again_and_done(
    service: Service, jawel: Jawel, path: Path, reader: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "SCRUB_WAIT_MS", 10)
    monkeypatch.setattr(sqlite, "BUSY_FOR_LONG_SECONDS", 0)
    read_on(reader)
    write_much(service.database)
    with structlog.testing.capture_logs() as said:
        assert service.database.scrub() is False
    (line,) = said
    assert (line["event"], line["log_level"]) == ("write_ahead_log.not_emptied", "warning")
    assert line["pages"] * 4096 > MEGABYTES << 20
    assert held(path) > MEGABYTES << 20
    doctor = jawel("doctor")
    assert doctor.exit_code == 0
    assert findings(doctor)["writing"] == "warn"
    assert f"its write-ahead log holds {held(path) >> 20} MB" in doctor.stdout
    assert "Its bytes are on the disk" in jawel("privacy", "purge").stderr
    reader.execute("COMMIT")
    with structlog.testing.capture_logs() as said:
        assert service.database.scrub() is True
    assert said == []
    assert held(path) == 0
    assert findings(jawel("doctor"))["writing"] == "ok"


def test_a_short_wait_for_a_reader_is_no_news(
    service: Service, reader: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "SCRUB_WAIT_MS", 10)
    read_on(reader)
    write_much(service.database)
    with structlog.testing.capture_logs() as said:
        assert service.database.scrub() is False
    assert said == []


def test_what_a_large_transaction_has_added_is_given_back_without_a_worker(service: Service, path: Path) -> None:
    write_much(service.database)
    assert held(path) > MEGABYTES << 20
    numbers = iter(range(1000))

    def is_cut() -> bool:
        assert service.subscribe(f"reader{next(numbers)}@example.org").status_code in (202, 429)
        return held(path) <= sqlite.LOG_BYTES

    eventually(is_cut)
