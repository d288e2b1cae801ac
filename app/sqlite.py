"""SQLite as a database that is written by several processes, and keeps nothing that was deleted."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryFile

from sqlalchemy import Connection, Engine, create_engine, event, make_url

from app import private_files

BUSY_TIMEOUT = "busy_timeout=5000"
SCRUB_WAIT_MS = 500
# A deferred BEGIN that later writes fails at once with "database is locked" where another writer came first;
# busy_timeout does not help when a lock is raised.
TO_WRITE = "BEGIN IMMEDIATE"
TO_READ = "BEGIN"
NEVER_WRITE = "query_only=ON"
# Without secure_delete, what is deleted stays legible in the file until something else needs the room.
PRAGMAS = (BUSY_TIMEOUT, "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "secure_delete=ON")


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


def scrub(writer: Engine) -> None:
    """See `Database.scrub`."""
    with closing(writer.raw_connection()) as connection:
        # It keeps writers waiting while it waits for who reads an old page. The worker tries again.
        for pragma in (f"busy_timeout={SCRUB_WAIT_MS}", "wal_checkpoint(TRUNCATE)", BUSY_TIMEOUT):
            connection.cursor().execute(f"PRAGMA {pragma}").close()
