"""The audit: recomputes the whole log from the stored rows and reports every mismatch.

Invariant: it reads parallel streams and retains no rows, so memory does not grow with the log; and it reads one
snapshot, so events that are written and sealed meanwhile do not affect it.
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
"""Progress callback, called with the number of rows read since the last call."""


@contextmanager
def snapshot(database: Database) -> Iterator[Connection]:
    with database.reader.connect() as connection:
        if connection.dialect.name == "sqlite":
            driver = connection.connection.driver_connection
            assert driver is not None
            # Text that is not valid UTF-8 is a finding and must not abort the audit.
            driver.text_factory = lambda raw: raw.decode(errors="surrogateescape")
            try:
                yield connection
            finally:
                driver.text_factory = str
        else:
            yield connection.execution_options(isolation_level="REPEATABLE READ")


def rows_to_read(connection: Connection) -> tuple[int, int]:
    """The number of events, and the number of sealed events."""
    written = connection.scalar(select(func.count()).select_from(ConsentEvent))
    sealed = connection.scalar(select(func.count()).select_from(LogEntry))
    return written or 0, sealed or 0


def findings(connection: Connection, log: Log, seen: Seen) -> Iterator[str]:
    """One line per finding: kind, id and meaning. `seen` is called with the number of rows read since its last call."""
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
            # SQLite also stores numbers and bytes in a text column.
            yield f"{name}: a value that is not of its column's type ends the audit of them ({type(error).__name__})"


def in_plain_letters(finding: str) -> str:
    """Escapes unprintable characters: a finding may quote an attacker's data, e.g. terminal control sequences."""
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in finding)
