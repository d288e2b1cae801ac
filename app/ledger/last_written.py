"""Time of the newest event, by the clock of the process that wrote it: on SQLite the only other clock to compare."""

from datetime import datetime

from sqlalchemy import Connection, select

from app.consent import ConsentEvent
from app.ledger.model import LogEntry, UnsealedEvent


def last_written(connection: Connection) -> datetime | None:
    """None if there is no event yet. The newest event is the last one written, whatever its time."""
    return connection.scalar(_UNSEALED) or connection.scalar(_SEALED)


_UNSEALED = select(ConsentEvent.occurred_at).where(
    ConsentEvent.id == select(UnsealedEvent.event_id).order_by(UnsealedEvent.number.desc()).limit(1).scalar_subquery()
)
_SEALED = select(ConsentEvent.occurred_at).where(
    ConsentEvent.id == select(LogEntry.event_id).order_by(LogEntry.position.desc()).limit(1).scalar_subquery()
)
