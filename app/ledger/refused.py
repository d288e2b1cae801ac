"""Events that are not sealed, because no valid MAC proves that this application wrote them; and their way back.

An attacker with write access to the database can insert an event, but lacks the keys for its MAC. The sealer sets such
an event aside. It returns automatically if a key of `SECRET_KEYS` later matches its MAC, as during a key rotation;
otherwise only if an operator vouches for it by id. No change to the database alone brings it back.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, delete, func, or_, select
from sqlalchemy.orm import Session

from app import event_macs
from app.consent import ConsentEvent
from app.database import AnyRow
from app.database.locks import AdvisoryLock, await_lock, try_lock
from app.database.upsert import insert_into
from app.ledger.model import RefusedEvent, UnsealedEvent

AT_ONCE = 10_000
COUNTED = 100_000
"""Counting stops here."""


@dataclass(frozen=True, slots=True)
class UnprovenEvent:
    """An unsealed event, waiting or set aside, whose MAC is not ours."""

    id: UUID
    type: str
    occurred_at: datetime
    newsletter: str | None
    reason: str


def set_aside(connection: Connection, events: Sequence[AnyRow], now: datetime) -> None:
    """Remove these from the unsealed events. Each row has its `number` there and its `event_id`."""
    connection.execute(delete(UnsealedEvent).where(UnsealedEvent.number.in_([each.number for each in events])))
    values = [{"event_id": each.event_id, "refused_at": now} for each in events]
    connection.execute(insert_into(RefusedEvent, connection).on_conflict_do_nothing(), values)


def count(connection: Connection) -> int:
    """Up to COUNTED."""
    return connection.scalar(COUNT) or 0


def are_there(connection: Connection) -> bool:
    """Whether any event is set aside; cheaper than `count`."""
    return connection.execute(_ANY).first() is not None


def reconsider(session: Session, after: UUID | None) -> UUID | None:
    """Requeue the next set-aside events whose MAC is ours now. Returns the last id examined, None at the end."""
    connection = session.connection()
    if not try_lock(connection, AdvisoryLock.SEALING):
        return after
    found = connection.execute(_ASIDE if after is None else _ASIDE.where(RefusedEvent.event_id > after)).all()
    ours = event_macs.of(connection)
    _return(connection, [(each.id, None) for each in found if ours.fit(each.mac, each.id, each.evidence_hash)])
    return found[-1].id if len(found) == AT_ONCE else None


def unproven(connection: Connection) -> Iterator[UnprovenEvent]:
    """Ordered by `occurred_at`. Streams the rows, so it needs a transaction."""
    ours = event_macs.of(connection)
    for each in connection.execute(_UNSEALED, execution_options={"yield_per": AT_ONCE}):
        if not ours.fit(each.mac, each.id, each.evidence_hash):
            reason = "it has no MAC" if each.mac is None else "its MAC is by no key of SECRET_KEYS"
            yield UnprovenEvent(each.id, each.type, each.occurred_at, each.newsletter, reason)


def adopt(session: Session, event_ids: Sequence[UUID]) -> list[UUID]:
    """Vouch for those of the events that are not sealed: requeue them with a MAC of ours. Idempotent.

    Returns their ids. The caller must check that their evidence is consistent.
    """
    connection = session.connection()
    await_lock(connection, AdvisoryLock.SEALING)
    found = connection.execute(_UNSEALED.where(ConsentEvent.id.in_(event_ids))).all()
    ours = event_macs.of(connection)
    _return(connection, [(each.id, ours.make(each.id, each.evidence_hash)) for each in found])
    return [each.id for each in found]


def _return(connection: Connection, events: Sequence[tuple[UUID, str | None]]) -> None:
    """Requeue events, each with the MAC that applies from now on; None: the event's own."""
    if not events:
        return
    connection.execute(delete(RefusedEvent).where(RefusedEvent.event_id.in_([event_id for event_id, _mac in events])))
    waits = insert_into(UnsealedEvent, connection)
    waits = waits.on_conflict_do_update(index_elements=["event_id"], set_={"mac": waits.excluded.mac})
    connection.execute(waits, [{"event_id": event_id, "mac": mac} for event_id, mac in events])


_ANY = select(RefusedEvent.event_id).limit(1)
COUNT = select(func.count()).select_from(select(RefusedEvent.event_id).limit(COUNTED).subquery())
_ASIDE = (
    select(ConsentEvent.id, ConsentEvent.evidence_hash, ConsentEvent.mac)
    .join(RefusedEvent, RefusedEvent.event_id == ConsentEvent.id)
    .order_by(RefusedEvent.event_id)
    .limit(AT_ONCE)
)
_UNSEALED = (
    select(
        ConsentEvent.id,
        ConsentEvent.type,
        ConsentEvent.occurred_at,
        ConsentEvent.newsletter,
        ConsentEvent.evidence_hash,
        func.coalesce(UnsealedEvent.mac, ConsentEvent.mac).label("mac"),
    )
    .outerjoin(UnsealedEvent, UnsealedEvent.event_id == ConsentEvent.id)
    .outerjoin(RefusedEvent, RefusedEvent.event_id == ConsentEvent.id)
    .where(or_(UnsealedEvent.event_id.is_not(None), RefusedEvent.event_id.is_not(None)))
    .order_by(ConsentEvent.occurred_at, ConsentEvent.id)
)
