"""The audit: recomputes the whole log from what is stored, and names whatever does not fit.

Invariant: it reads streams side by side and keeps nothing of them, so a large log needs no more memory than a small
one; and it reads one snapshot, so events that are written and sealed meanwhile disturb nothing.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, func, select

from app.consent import ConsentEvent
from app.database import Database
from app.ledger.audit import anchors, consents, events, tombstones, trees, wordings
from app.ledger.log import Log
from app.ledger.model import LogEntry

Seen = Callable[[int], None]
"""Told of each so many rows that have been read."""


@contextmanager
def snapshot(database: Database) -> Iterator[Connection]:
    with database.reader.connect() as connection:
        if connection.dialect.name == "sqlite":
            driver = connection.connection.driver_connection
            assert driver is not None
            # A text that is no UTF-8 is a finding, not the end of the audit.
            driver.text_factory = lambda raw: raw.decode(errors="surrogateescape")
            try:
                yield connection
            finally:
                driver.text_factory = str
        else:
            yield connection.execution_options(isolation_level="REPEATABLE READ")


def rows_to_read(connection: Connection) -> tuple[int, int]:
    """How many events there are, and how many of them are sealed."""
    written = connection.scalar(select(func.count()).select_from(ConsentEvent))
    sealed = connection.scalar(select(func.count()).select_from(LogEntry))
    return written or 0, sealed or 0


def findings(connection: Connection, log: Log, seen: Seen) -> Iterator[str]:
    """A line each: what, which, and what it means. `seen` is called with the rows read since it was called last."""
    parts = {
        "the events": events.check(connection, seen),
        "the log": trees.check(connection, log, seen),
        "the subscriptions": consents.check(connection),
        "the tombstones": tombstones.check(connection),
        "the wordings": wordings.check(connection),
        "the anchors": anchors.check(connection),
    }
    for name, found in parts.items():
        try:
            yield from map(in_plain_letters, found)
        except (AttributeError, TypeError, ValueError) as error:
            # SQLite takes a number or bytes for a text as well.
            yield f"{name}: a value that is not of its column's type ends the audit of them ({type(error).__name__})"


def in_plain_letters(finding: str) -> str:
    """It quotes what somebody may have put into the database, for a terminal to obey or a log to choke on."""
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in finding)
