"""SQLite as a database that is written by several processes, and keeps nothing that was deleted."""

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
# A deferred BEGIN that later writes fails at once with "database is locked" where another writer came first;
# busy_timeout does not help when a lock is raised.
TO_WRITE = "BEGIN IMMEDIATE"
TO_READ = "BEGIN"
NEVER_WRITE = "query_only=ON"
# Without secure_delete, what is deleted stays legible in the file until something else needs the room.
LOG_BYTES = 8 * 1024 * 1024
"""Twice as much as makes SQLite copy it into the file. What a large transaction has added is given back afterwards."""
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
    """Its transactions open with `begin`; `pragmas` are set in each connection, beside those that all have."""
    made = create_engine(make_url(url))
    path = file(url)

    @event.listens_for(made, "do_connect")
    def keep_to_owner(*_: object) -> None:
        # SQLite would make the file as the umask has it, and gives its log and journal the mode of the file.
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
    """None where the database is in memory, or named by a URI of SQLite's own."""
    name = make_url(url).database
    return None if not name or name == ":memory:" or name.startswith("file:") else Path(name).absolute()


def files(url: str) -> list[Path]:
    """All that may hold rows: the file, its write-ahead log and the index of that, a journal."""
    path = file(url)
    return [] if path is None else [path.with_name(path.name + ending) for ending in ("", "-wal", "-shm", "-journal")]


@contextmanager
def undone(connection: Connection) -> Iterator[None]:
    """What the block writes is taken back when it ends. The pages that it touched are written at the commit all the
    same, as what they were."""
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)
    driver.execute("SAVEPOINT undone")
    yield
    driver.execute("ROLLBACK TO undone")
    driver.execute("RELEASE undone")


def try_write(writer: Engine, patience_ms: int, room_bytes: int) -> None:
    """Commit a page that stays what it was, then take so much room beside the file, and give it back.

    A commit alone may fit into what the write-ahead log has. Raises SQLAlchemyError, and OSError for want of room.
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
    """What a database holds beside its file. Not within a transaction."""

    def __init__(self, writer: Engine) -> None:
        self._writer = writer
        self._busy_since: float | None = None

    def empty(self) -> bool:
        """False where somebody still reads what is in it: to be tried again. Says so where that goes on for long."""
        with closing(self._writer.raw_connection()) as connection:
            cursor = connection.cursor()
            # What can be copied while others write is: the next step keeps writers waiting, also for who reads an old
            # page.
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
    """How large the write-ahead log is on the disk."""
    path = file(url)
    with suppress(OSError):
        return path.with_name(f"{path.name}-wal").stat().st_size if path else 0
    return 0
