"""Feed of sealed events in log order, for clients that poll it.

Invariant: a client is never given the events of another history than the one that it has read so far. A database that
was restored to an earlier state may have grown since, with other events at the same positions; the root of the tree up
to a position names all that is before it.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, ScalarSelect, case, func, or_, select
from sqlalchemy.orm import QueryableAttribute, aliased

from app.consent import ConsentEvent
from app.errors import JawelError
from app.ledger import proofs
from app.ledger.erasures import RecentErasure
from app.ledger.model import LogEntry
from app.ledger.tree import Span, complete_nodes, span_hash

LOOK_AHEAD = 10_000
"""Maximum number of positions that one request reads, however few of them the client may see."""


class LogRestarted(JawelError):
    """The client has read another history than the one that is stored."""


@dataclass(frozen=True, slots=True)
class SealedEvent:
    position: int
    id: UUID
    type: str
    occurred_at: datetime
    subscriber_id: UUID | None
    """None of an event that was erased, and of an erasure that is no longer recent."""
    newsletter: str | None


@dataclass(frozen=True, slots=True)
class FeedPage:
    events: Sequence[SealedEvent]
    next: int
    """The last position read: the `after` of the next request."""


def read(connection: Connection, after: int, *, limit: int, newsletters: Collection[str] | None) -> FeedPage:
    """Events after the position `after`, of these newsletters; None: of all.

    The erasure of a whole person names no newsletter, and concerns every recipient that may hold a copy (GDPR Art. 19):
    each client that may see a newsletter which the person ever requested. Whose it was is known for a while only.

    Raises LogRestarted.
    """
    last = newest(connection)
    if last < after:
        raise LogRestarted("the position is beyond the end")
    end = min(last, after + LOOK_AHEAD)
    if end == after:
        return FeedPage((), after)
    wanted = _BY_POSITION.where(LogEntry.position > after, LogEntry.position <= end)
    if newsletters is not None:
        wanted = wanted.where(_concerns(newsletters))
    events = [SealedEvent(*row) for row in connection.execute(wanted.limit(limit))]
    return FeedPage(events, events[-1].position if len(events) == limit else end)


def newest(connection: Connection) -> int:
    """The position of the newest sealed event; -1 while there is none."""
    last = connection.scalar(_NEWEST)
    return -1 if last is None else last


def history(connection: Connection, position: int) -> str:
    """Names all events up to the position, by the root of their tree; -1: no events."""
    whole = Span(0, position + 1)
    return span_hash(whole, proofs.look_up(connection, complete_nodes(whole))).hex()


def go_on(connection: Connection, after: int, log: str) -> None:
    """Raises LogRestarted if the events up to `after` are not those that `log` names."""
    if newest(connection) < after or history(connection, after) != log:
        raise LogRestarted("the events before the position are others")


def _concerns(newsletters: Collection[str]) -> ColumnElement[bool]:
    other = aliased(ConsentEvent)
    of_theirs = other.newsletter.in_(newsletters) & (other.subscriber_id == ConsentEvent.subscriber_id)
    erased = (RecentErasure.event_id == ConsentEvent.id) & RecentErasure.newsletter.in_(newsletters)
    is_about_them = select(other.id).where(of_theirs).exists() | select(RecentErasure.event_id).where(erased).exists()
    return or_(ConsentEvent.newsletter.in_(newsletters), ConsentEvent.newsletter.is_(None) & is_about_them)


def _lately(column: ColumnElement[Any] | QueryableAttribute[Any]) -> ScalarSelect[Any]:
    """Of a recent erasure."""
    return select(column).where(RecentErasure.event_id == ConsentEvent.id).limit(1).scalar_subquery()


_NEWEST = select(func.max(LogEntry.position))
_BY_POSITION = (
    select(
        LogEntry.position,
        ConsentEvent.id,
        ConsentEvent.type,
        ConsentEvent.occurred_at,
        func.coalesce(ConsentEvent.subscriber_id, _lately(RecentErasure.subscriber_id)),
        func.coalesce(ConsentEvent.newsletter, _lately(case((~RecentErasure.is_of_person, RecentErasure.newsletter)))),
    )
    .join(ConsentEvent, ConsentEvent.id == LogEntry.event_id)
    .order_by(LogEntry.position)
)
