"""When the newest event happened, by the clock of whoever wrote it: on SQLite the one other clock there is."""

from datetime import datetime

from sqlalchemy import Connection, select

from app.consent import ConsentEvent
from app.ledger.model import LogEntry, UnsealedEvent


def last_written(connection: Connection) -> datetime | None:
    """None where there is no event yet. Newest is what was written last, whatever instant it bears."""
    return connection.scalar(_UNSEALED) or connection.scalar(_SEALED)


_UNSEALED = select(ConsentEvent.occurred_at).where(
    ConsentEvent.id == select(UnsealedEvent.event_id).order_by(UnsealedEvent.number.desc()).limit(1).scalar_subquery()
)
_SEALED = select(ConsentEvent.occurred_at).where(
    ConsentEvent.id == select(LogEntry.event_id).order_by(LogEntry.position.desc()).limit(1).scalar_subquery()
)
