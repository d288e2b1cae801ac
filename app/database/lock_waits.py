"""Which sessions block a PostgreSQL session, for messages that help the operator decide what to do.

Never the text of their statements, which may be personal.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime

import psycopg
from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from app.database import Database

LOOK_EVERY_SECONDS = 0.25
_HOLDERS = text(
    "SELECT pid, usename, application_name, state, xact_start FROM pg_stat_activity"
    " WHERE pid = ANY(pg_blocking_pids(:waiting)) ORDER BY xact_start, pid"
)


@dataclass(frozen=True, slots=True)
class Holder:
    """A session that holds a lock, or is ahead of us in waiting for it."""

    pid: int
    user: str | None
    application: str | None
    state: str | None
    """Hidden, like `since`, from a role that is neither the session's nor a member of pg_read_all_stats."""
    since: datetime | None

    def __str__(self) -> str:
        told = f"pid {self.pid}: {self.application or 'an application without a name'}, as {self.user or 'nobody'}"
        if self.state is None:
            return f"{told} (its state is hidden from this role)"
        since = f", in a transaction since {self.since:%Y-%m-%d %H:%M:%S} UTC" if self.since else ""
        return f"{told}, {self.state}{since}"


@contextmanager
def watched(database: Database, connection: Connection) -> Iterator[list[Holder]]:
    """The sessions that block the connection, from the last look in the block that found any; always empty on SQLite.

    After a wait has timed out they can no longer be found. So another session looks meanwhile.
    """
    found: list[Holder] = []
    if connection.dialect.name != "postgresql":
        yield found
        return
    over = threading.Event()
    pid = connection.scalar(text("SELECT pg_backend_pid()"))
    watching = threading.Thread(target=_watch, args=(database, pid, found, over), name="watching locks", daemon=True)
    watching.start()
    try:
        yield found
    finally:
        over.set()
        watching.join()


def _watch(database: Database, pid: int, found: list[Holder], over: threading.Event) -> None:
    while not over.wait(LOOK_EVERY_SECONDS):
        with suppress(SQLAlchemyError), database.read_only() as connection:
            if holders := [Holder(*row) for row in connection.execute(_HOLDERS, {"waiting": pid})]:
                found[:] = holders


def gave_up_waiting(error: OperationalError) -> bool:
    """Whether a wait was given up: on PostgreSQL for a lock, on SQLite for another writer."""
    if isinstance(error.orig, psycopg.errors.LockNotAvailable | psycopg.errors.DeadlockDetected):
        return True
    return str(getattr(error.orig, "sqlite_errorname", "")).startswith("SQLITE_BUSY")
