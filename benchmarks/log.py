"""How fast the log grows, and what a proof from it costs once it is long."""

import random
import statistics
import time
from collections.abc import Callable
from uuid import UUID

from sqlalchemy import select, text

from app.database import Database
from app.ledger import proofs, sealing
from app.ledger.log import Log
from app.ledger.model import LogEntry

LOG = Log.of("subscribe.example.org", [bytes(range(32))])
SHORT = 1000
BATCH = 100_000
PROOFS = 500

# Of erased people: their hashes are all that sealing reads.
_FILL = {
    "postgresql": """
        INSERT INTO consent_events (id, type, subscriber_id, newsletter, occurred_at, evidence_hash)
        SELECT gen_random_uuid(), 'subscription.requested', gen_random_uuid(), 'weekly', now(),
               md5(random()::text) || md5(random()::text)
        FROM generate_series(1, :number)
    """,
    "sqlite": """
        INSERT INTO consent_events (id, type, subscriber_id, newsletter, occurred_at, evidence_hash)
        WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < :number)
        SELECT lower(hex(randomblob(16))), 'subscription.requested', lower(hex(randomblob(16))), 'weekly',
               '2026-11-23T20:00:00.000+00:00', lower(hex(randomblob(32)))
        FROM numbers
    """,
}


def grow(database: Database, size: int, tell: Callable[[int], None]) -> float:
    """Seconds spent sealing, in the worker's own steps, until the log has `size` entries."""
    spent = 0.0
    while (missing := size - _size(database)) > 0:
        number = min(missing, BATCH)
        with database.transaction() as session:
            session.execute(text(_FILL[database.writer.dialect.name]), {"number": number})
        begun = time.perf_counter()
        while _seal(database):
            pass
        spent += time.perf_counter() - begun
        tell(number)
    return spent


def proof_seconds(database: Database) -> float:
    """The median of proofs for events anywhere in the log, one at a time."""
    with database.read_only() as connection:
        events = [_event(database, position) for position in random.choices(range(_size(database)), k=PROOFS)]
        return statistics.median(_timed(lambda event=event: proofs.inclusion(connection, [event])) for event in events)


def _timed(act: Callable[[], object]) -> float:
    begun = time.perf_counter()
    act()
    return time.perf_counter() - begun


def _seal(database: Database) -> int:
    with database.transaction() as session:
        return sealing.seal(session, LOG)


def _size(database: Database) -> int:
    with database.read_only() as connection:
        return connection.scalar(text("SELECT coalesce(max(position) + 1, 0) FROM log_entries")) or 0


def _event(database: Database, position: int) -> UUID:
    with database.read_only() as connection:
        return connection.scalars(select(LogEntry.event_id).where(LogEntry.position == position)).one()
