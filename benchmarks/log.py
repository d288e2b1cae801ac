"""How fast the log grows, and what a proof from it costs once it is long."""

import random
import secrets
import statistics
import time
from collections.abc import Callable
from functools import partial
from uuid import UUID, uuid4

from sqlalchemy import insert, select, text

from app import clock, event_macs
from app.consent import ConsentEvent, EventType
from app.database import Database
from app.ledger import proofs, sealing
from app.ledger.log import Log
from app.ledger.model import LogEntry

LOG = Log.of("subscribe.example.org", [bytes(range(32))])
SHORT = 1000
BATCH = 100_000
PROOFS = 200
TURNS = 5


def grow(database: Database, size: int, tell: Callable[[int], None]) -> float:
    """Seconds spent sealing, in the worker's own steps, until the log has `size` entries."""
    spent = 0.0
    while (missing := size - _size(database)) > 0:
        number = min(missing, BATCH)
        _fill(database, number)
        begun = time.perf_counter()
        while _seal(database):
            pass
        spent += time.perf_counter() - begun
        tell(number)
    return spent


def _fill(database: Database, number: int) -> None:
    """Events of erased people: their hashes are all that sealing reads."""
    now = clock.now()
    with database.transaction() as session:
        keys = event_macs.of(session.connection())
        rows = ((uuid4(), secrets.token_hex(32)) for _ in range(number))
        values = [
            {
                "id": identity,
                "type": EventType.REQUESTED,
                "subscriber_id": uuid4(),
                "newsletter": "weekly",
                "occurred_at": now,
                "evidence_hash": hashed,
                "mac": keys.make(identity, hashed),
            }
            for identity, hashed in rows
        ]
        session.execute(insert(ConsentEvent), values)


def proof_seconds(database: Database) -> float:
    """The median of proofs for events anywhere in the log, one at a time."""
    with database.read_only() as connection:
        events = [_event(database, position) for position in random.choices(range(_size(database)), k=PROOFS)]
        return statistics.median(_timed(partial(proofs.inclusion, connection, [event])) for event in events)


def _timed(act: Callable[[], object]) -> float:
    begun = time.perf_counter()
    act()
    return time.perf_counter() - begun


def _seal(database: Database) -> int:
    with database.transaction() as session:
        return sealing.seal(session, LOG).sealed


def _size(database: Database) -> int:
    with database.read_only() as connection:
        return connection.scalar(text("SELECT coalesce(max(position) + 1, 0) FROM log_entries")) or 0


def _event(database: Database, position: int) -> UUID:
    with database.read_only() as connection:
        return connection.scalars(select(LogEntry.event_id).where(LogEntry.position == position)).one()
