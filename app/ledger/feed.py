"""Feed of sealed events in log order, for clients that poll it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, func, or_, select
from sqlalchemy.orm import aliased

from app.consent import ConsentEvent
from app.ledger.model import LogEntry

LOOK_AHEAD = 10_000
"""Maximum number of positions that one request reads, however few of them the client may see."""


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
    """The last position read: the `after` of the next request."""


def read(connection: Connection, after: int, *, limit: int, newsletters: Collection[str] | None) -> FeedPage:
    """Events after the position `after`, of these newsletters; None: of all.

    The erasure of a whole person names no newsletter, and concerns every recipient that may hold a copy (GDPR Art. 19):
    each client that may see a newsletter which the person ever requested.
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
