"""Write check: whether the database accepts writes, tried with as little as will tell.

A commit to the disk detects a server that refuses to write, and a role or a file without rights. But while its disk is
full, a database still commits into space that it has reserved. So a little new space is requested as well, where its
files are, and given back at once.

Invariant: it leaves no row and no file behind, however often it runs.
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
# A function's rows that do not fit into work_mem, at least 64 kB, go to a file.
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
    """The text is the reason, for people."""


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
    """At most a second old, for any number of callers."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._tried_at = float("-inf")
        self._fault: str | None = None

    def check(self, patience: float) -> None:
        """Wait up to `patience` seconds for another thread's check. Raises NotWritable."""
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
        # A session that waits for a synchronous standby waits for ever, even when we have given it up: each check would
        # add one more.
        connection.execute(text("SET LOCAL synchronous_commit = local"))
        # Refused by a standby, by a server that is set to read only, and to a role without the right.
        connection.execute(text("UPDATE counters SET total = total WHERE false"))
        connection.execute(text("SELECT pg_logical_emit_message(true, 'jawel', '')"))
    try:
        with database.transaction() as session:
            _ask_for_room(session.connection())
    except DBAPIError as error:
        # temp_file_limit, which says nothing about the disk.
        if not isinstance(error.orig, psycopg.errors.ConfigurationLimitExceeded):
            raise


def _ask_for_room(connection: Connection) -> None:
    connection.execute(text("SET LOCAL work_mem = '64kB'"))
    connection.execute(ROWS_IN_A_FILE)


def _on_sqlite(database: Database) -> None:
    try:
        sqlite.try_write(database.writer, BUSY_MS, ROOM_BYTES)
    except OSError as error:
        # SQLite itself works in a folder where it may create no file, as long as its log is there.
        if not isinstance(error, PermissionError):
            raise NotWritable("its disk is full" if error.errno in NO_ROOM else str(error.strerror)) from None


def _reason(error: SQLAlchemyError) -> str:
    original = getattr(error, "orig", None)
    name = getattr(original, "sqlite_errorname", None)
    code = getattr(original, "sqlstate", None) or (name and "_".join(name.split("_")[:2])) or ""
    return _REASONS.get(code, f"it does not answer as it should ({type(error).__name__})")
