"""SQLite for several writing processes; deleted data does not stay on the disk."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryFile

import structlog
from sqlalchemy import Connection, Engine, create_engine, event, make_url

from app import private_files

log = structlog.get_logger()

BUSY_TIMEOUT = "busy_timeout=5000"
SCRUB_WAIT_MS = 500
# A deferred BEGIN that later writes fails at once with "database is locked" if another writer came first;
# busy_timeout does not help when a lock is upgraded.
TO_WRITE = "BEGIN IMMEDIATE"
TO_READ = "BEGIN"
NEVER_WRITE = "query_only=ON"
# Without secure_delete, deleted data stays legible in the file until its space is reused.
LOG_BYTES = 8 * 1024 * 1024
"""Twice the size at which SQLite copies it into the file. Space that a large transaction adds is freed afterwards."""
BUSY_FOR_LONG_SECONDS = 300
PRAGMAS = (
    BUSY_TIMEOUT,
    "journal_mode=WAL",
    "synchronous=FULL",
    "foreign_keys=ON",
    "secure_delete=ON",
    f"journal_size_limit={LOG_BYTES}",
)


def engine(url: str, begin: str, *pragmas: str) -> Engine:
    """Transactions open with `begin`; each connection sets `pragmas` beside PRAGMAS."""
    made = create_engine(make_url(url))
    path = file(url)

    @event.listens_for(made, "do_connect")
    def keep_to_owner(*_: object) -> None:
        # SQLite would create the file with the umask's mode, and gives its log and journal the mode of the file.
        if path is not None:
            private_files.create(path)

    @event.listens_for(made, "connect")
    def set_up(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None
        for pragma in (*PRAGMAS, *pragmas):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(made, "begin")
    def open_transaction(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return made


def file(url: str) -> Path | None:
    """None if the database is in memory, or named by an SQLite URI."""
    name = make_url(url).database
    return None if not name or name == ":memory:" or name.startswith("file:") else Path(name).absolute()


def files(url: str) -> list[Path]:
    """All files that may hold rows: the database, its write-ahead log and that log's index, a journal."""
    path = file(url)
    return [] if path is None else [path.with_name(path.name + ending) for ending in ("", "-wal", "-shm", "-journal")]


@contextmanager
def undone(connection: Connection) -> Iterator[None]:
    """Roll back the block's writes when it ends. The commit still writes the pages that it touched, unchanged."""
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)
    driver.execute("SAVEPOINT undone")
    yield
    driver.execute("ROLLBACK TO undone")
    driver.execute("RELEASE undone")


def try_write(writer: Engine, patience_ms: int, room_bytes: int) -> None:
    """Commit an unchanged page, then write `room_bytes` to a temporary file beside the database.

    A commit alone may fit into the write-ahead log's space. Raises SQLAlchemyError, and OSError if there is no room.
    """
    with writer.connect() as connection:
        driver = connection.connection.driver_connection
        assert isinstance(driver, sqlite3.Connection)
        driver.execute(f"PRAGMA busy_timeout={patience_ms}").close()
        try:
            with connection.begin():
                version = driver.execute("PRAGMA user_version").fetchone()[0]
                driver.execute(f"PRAGMA user_version={version}").close()
        finally:
            driver.execute(f"PRAGMA {BUSY_TIMEOUT}").close()
    if path := file(str(writer.url)):
        with TemporaryFile(dir=path.parent, buffering=0) as room:
            room.write(bytes(room_bytes))


class WriteAheadLog:
    """The log that SQLite keeps beside its file. Not within a transaction."""

    def __init__(self, writer: Engine) -> None:
        self._writer = writer
        self._busy_since: float | None = None

    def empty(self) -> bool:
        """False while a reader still uses its pages: to be retried. Logs a warning if that goes on for long."""
        with closing(self._writer.raw_connection()) as connection:
            cursor = connection.cursor()
            # PASSIVE copies what it can while others write; TRUNCATE keeps writers waiting, also for a reader of old
            # pages.
            cursor.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            cursor.execute(f"PRAGMA busy_timeout={SCRUB_WAIT_MS}")
            try:
                is_busy, pages, _copied = cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            finally:
                cursor.execute(f"PRAGMA {BUSY_TIMEOUT}")
                cursor.close()
        self._take_note(bool(is_busy), pages)
        return not is_busy

    def _take_note(self, is_busy: bool, pages: int) -> None:
        if not is_busy:
            self._busy_since = None
            return
        now = time.monotonic()
        self._busy_since = now if self._busy_since is None else self._busy_since
        if now - self._busy_since >= BUSY_FOR_LONG_SECONDS:
            log.warning("write_ahead_log.not_emptied", pages=pages, for_seconds=round(now - self._busy_since))


def log_bytes(url: str) -> int:
    """Size of the write-ahead log on the disk."""
    path = file(url)
    with suppress(OSError):
        return path.with_name(f"{path.name}-wal").stat().st_size if path else 0
    return 0
