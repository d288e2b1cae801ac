"""Tombstones: events that record which events were erased, when and why, but not whose.

Invariant: each event without evidence is named by exactly one tombstone, written in the transaction that blanked it. So
withheld evidence cannot be passed off as erased. A tombstone itself is never blanked.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ColumnElement, update
from sqlalchemy.orm import Session

from app import clock, consent
from app.consent import Act, ConsentEvent, EventType, JsonValue, Step
from app.database import AnyRow


class ErasureReason(StrEnum):
    REQUEST = "request"
    RETENTION = "retention"
    """The newsletter's `keep_evidence` after withdrawal has passed."""
    UNCONFIRMED = "unconfirmed"
    """A request that nobody confirmed, thirty days after it lapsed or was declined."""


@dataclass(frozen=True, slots=True)
class ErasedSubscription:
    """One subscription whose evidence is erased."""

    subscriber_id: UUID
    subscription_id: UUID
    newsletter: str


def bury(session: Session, graves: Sequence[ErasedSubscription], reason: ErasureReason, act: Act) -> None:
    """Blank the evidence of those subscriptions, with one tombstone each. Idempotent: no evidence, no tombstone."""
    theirs = ConsentEvent.subscription_id.in_([grave.subscription_id for grave in graves])
    blanked: dict[UUID, list[AnyRow]] = {}
    for event in _blank(session, theirs):
        blanked.setdefault(event.subscription_id, []).append(event)
    consent.record_all(
        session,
        [
            (_step(grave.subscriber_id, grave), _saying(blanked[grave.subscription_id], reason, act))
            for grave in graves
            if grave.subscription_id in blanked
        ],
    )


def bury_person(session: Session, subscriber_id: UUID, act: Act) -> None:
    """Blank all evidence of one person, with one tombstone. Idempotent."""
    blanked = _blank(session, ConsentEvent.subscriber_id == subscriber_id)
    if blanked:
        consent.record_all(session, [(_step(subscriber_id), _saying(blanked, ErasureReason.REQUEST, act))])


def _blank(session: Session, which: ColumnElement[bool]) -> Sequence[AnyRow]:
    blanked = session.execute(
        update(ConsentEvent)
        .where(which, ConsentEvent.evidence.is_not(None), ConsentEvent.type != EventType.ERASED)
        .values(evidence=None, salt=None)
        .returning(*ConsentEvent.__table__.columns)
        .execution_options(synchronize_session=False)
    )
    return sorted(blanked, key=lambda event: (event.occurred_at, event.id))


def _step(subscriber_id: UUID, grave: ErasedSubscription | None = None) -> Step:
    return Step(
        type=EventType.ERASED,
        subscriber_id=subscriber_id,
        subscription_id=grave.subscription_id if grave else None,
        newsletter=grave.newsletter if grave else None,
        occurred_at=clock.now(),
    )


def _saying(blanked: Iterable[AnyRow], reason: ErasureReason, act: Act) -> Act:
    erased: list[JsonValue] = [
        {
            "event": str(event.id),
            "newsletter": event.newsletter,
            "occurred_at": consent.timestamp(event.occurred_at),
            "subscription": None if event.subscription_id is None else str(event.subscription_id),
            "type": event.type,
        }
        for event in blanked
    ]
    return Act(act.actor, {**act.details, "erased": erased, "reason": reason})
