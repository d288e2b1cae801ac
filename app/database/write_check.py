"""Whether the database takes what is written: tried out, by as little as will tell.

A commit that is on the disk tells a server that refuses to write, and a role or a file without rights. But a database
commits into room that it has set aside while its disk is full. So a little of new room is asked for as well, where its
files are, and given back at once.

Invariant: no row and no file is left of it, however often it is done.
"""

import errno
import threading
import time

import psycopg
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from app.database import Database, sqlite
from app.errors import JawelError

FRESH_FOR_SECONDS = 1.0
ROOM_BYTES = 64 * 1024
BUSY_MS = 2000
# A function's rows that do not fit into work_mem, of which 64 kB is the least, go to a file.
ROWS_IN_A_FILE = text("SELECT count(*) FROM generate_series(1, 8000)")
NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_REASONS = {
    "53100": "its disk is full",
    "25006": "it is read-only",
    "42501": "the role has no right to write; see Database roles in docs/operations.md",
    "SQLITE_FULL": "its disk is full",
    "SQLITE_BUSY": "another process has been writing for too long",
    "SQLITE_READONLY": "it is read-only",
}


class NotWritable(JawelError):
    """Why not, in words for people."""


def attempt(database: Database) -> None:
    """Not within a transaction. Raises NotWritable."""
    try:
        if database.writer.dialect.name == "sqlite":
            _on_sqlite(database)
        else:
            _on_postgresql(database)
    except SQLAlchemyError as error:
        raise NotWritable(_reason(error)) from None


class WriteCheck:
    """As of a second ago, however many ask."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._tried_at = float("-inf")
        self._fault: str | None = None

    def check(self, patience: float) -> None:
        """Wait for another thread that tries for so many seconds at most. Raises NotWritable."""
        if not self._lock.acquire(timeout=patience):
            raise NotWritable("it does not answer")
        try:
            if time.monotonic() - self._tried_at >= FRESH_FOR_SECONDS:
                self._try()
        finally:
            self._lock.release()
        if self._fault is not None:
            raise NotWritable(self._fault)

    def _try(self) -> None:
        self._fault = None
        try:
            attempt(self._database)
        except NotWritable as error:
            self._fault = str(error)
        finally:
            self._tried_at = time.monotonic()


def _on_postgresql(database: Database) -> None:
    with database.transaction() as session:
        connection = session.connection()
        # A session that waits for a synchronous standby waits for ever, also when we have given it up: with each try
        # there would be one more of them.
        connection.execute(text("SET LOCAL synchronous_commit = local"))
        # Refused by a standby, by a server that is set to read only, and to a role without the right.
        connection.execute(text("UPDATE counters SET total = total WHERE false"))
        connection.execute(text("SELECT pg_logical_emit_message(true, 'jawel', '')"))
    try:
        with database.transaction() as session:
            _ask_for_room(session.connection())
    except DBAPIError as error:
        # temp_file_limit, which says nothing of the disk.
        if not isinstance(error.orig, psycopg.errors.ConfigurationLimitExceeded):
            raise


def _ask_for_room(connection: Connection) -> None:
    connection.execute(text("SET LOCAL work_mem = '64kB'"))
    connection.execute(ROWS_IN_A_FILE)


def _on_sqlite(database: Database) -> None:
    try:
        sqlite.try_write(database.writer, BUSY_MS, ROOM_BYTES)
    except OSError as error:
        # SQLite itself makes do in a folder where it may make no file, as long as its log is there.
        if not isinstance(error, PermissionError):
            raise NotWritable("its disk is full" if error.errno in NO_ROOM else str(error.strerror)) from None


def _reason(error: SQLAlchemyError) -> str:
    original = getattr(error, "orig", None)
    name = getattr(original, "sqlite_errorname", None)
    code = getattr(original, "sqlstate", None) or (name and "_".join(name.split("_")[:2])) or ""
    return _REASONS.get(code, f"it does not answer as it should ({type(error).__name__})")
