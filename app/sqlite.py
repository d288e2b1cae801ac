"""SQLite as a database that is written by several processes, and keeps nothing that was deleted."""

import sqlite3
from contextlib import closing

from sqlalchemy import Connection, Engine, create_engine, event, make_url

BUSY_TIMEOUT = "busy_timeout=5000"
SCRUB_WAIT_MS = 500
# Without secure_delete, what is deleted stays legible in the file until something else needs the room.
PRAGMAS = (BUSY_TIMEOUT, "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "secure_delete=ON")


def engine(url: str, *, read_only: bool) -> Engine:
    """Two of them share a file: one reads what was, while the other writes."""
    made = create_engine(make_url(url))

    @event.listens_for(made, "connect")
    def set_up(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None
        for pragma in PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")
        if read_only:
            connection.execute("PRAGMA query_only=ON")

    @event.listens_for(made, "begin")
    def begin(connection: Connection) -> None:
        # A deferred BEGIN that later writes fails at once with "database is locked" when another writer came first;
        # busy_timeout does not help on such a lock upgrade.
        connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")

    return made


def scrub(engine: Engine) -> None:
    """Let what was deleted leave the write-ahead log, which holds pages as they were before. Not in a transaction."""
    with closing(engine.raw_connection()) as connection:
        # It keeps writers waiting while it waits for who reads an old page. The worker tries again.
        for pragma in (f"busy_timeout={SCRUB_WAIT_MS}", "wal_checkpoint(TRUNCATE)", BUSY_TIMEOUT):
            connection.cursor().execute(f"PRAGMA {pragma}").close()
