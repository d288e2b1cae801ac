"""Sealed events in the order of the log, for those who follow along."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, func, or_, select
from sqlalchemy.orm import aliased

from app.consent import ConsentEvent
from app.ledger.model import LogEntry

LOOK_AHEAD = 10_000
"""Positions that one question reads at most, however few of them the asker may see."""


@dataclass(frozen=True, slots=True)
class SealedEvent:
    position: int
    id: UUID
    type: str
    occurred_at: datetime
    subscriber_id: UUID
    newsletter: str | None


@dataclass(frozen=True, slots=True)
class FeedPage:
    events: Sequence[SealedEvent]
    next: int
    """The position behind which nothing has been read yet."""


def read(connection: Connection, after: int, *, limit: int, newsletters: Collection[str] | None) -> FeedPage:
    """What comes behind the position `after`, as far as these newsletters go; None: all of it.

    That a whole person was erased names no newsletter, and concerns whoever may hold a copy (GDPR Art. 19): those who
    may see one that the person ever asked for.
    """
    last = connection.scalar(select(func.max(LogEntry.position)))
    end = min(-1 if last is None else last, after + LOOK_AHEAD)
    if end <= after:
        return FeedPage((), after)
    wanted = _BY_POSITION.where(LogEntry.position > after, LogEntry.position <= end)
    if newsletters is not None:
        wanted = wanted.where(_concerns(newsletters))
    events = [SealedEvent(*row) for row in connection.execute(wanted.limit(limit))]
    return FeedPage(events, events[-1].position if len(events) == limit else end)


def _concerns(newsletters: Collection[str]) -> ColumnElement[bool]:
    other = aliased(ConsentEvent)
    of_theirs = other.newsletter.in_(newsletters) & (other.subscriber_id == ConsentEvent.subscriber_id)
    return or_(
        ConsentEvent.newsletter.in_(newsletters),
        ConsentEvent.newsletter.is_(None) & select(other.id).where(of_theirs).exists(),
    )


_BY_POSITION = (
    select(
        LogEntry.position,
        ConsentEvent.id,
        ConsentEvent.type,
        ConsentEvent.occurred_at,
        ConsentEvent.subscriber_id,
        ConsentEvent.newsletter,
    )
    .join(ConsentEvent, ConsentEvent.id == LogEntry.event_id)
    .order_by(LogEntry.position)
)
