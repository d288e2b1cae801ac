"""Tombstones: events that record which events were erased, when and why, but not whose.

Invariant: each event without evidence is named by exactly one tombstone, written in the transaction that blanked it. So
withheld evidence cannot be passed off as erased. A tombstone itself is never blanked.

A tombstone is sealed for good, so it names events and nothing that leads from a person to them: no id of theirs, no
newsletter, nothing of the client. Nor does a blanked event. Of old versions, both do.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ColumnElement, case, func, literal, select, type_coerce, update
from sqlalchemy import String as Text
from sqlalchemy.orm import Session

from app import clock, consent
from app.consent import Act, ConsentEvent, EventType, JsonValue, Step
from app.database import AnyRow, Instant, json_insert
from app.ledger.erasures import RecentErasure


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
    if not graves:
        return
    stones = {grave.subscription_id: _stone() for grave in graves}
    named_by = {subscription_id: stone.event_id for subscription_id, stone in stones.items()}
    blanked = _blank(
        session,
        ConsentEvent.subscription_id.in_(named_by),
        case(named_by, value=ConsentEvent.subscription_id),
    )
    erected = [grave for grave in graves if named_by[grave.subscription_id] in blanked]
    consent.record_all(
        session,
        [
            (stone, _saying(blanked[stone.event_id], reason, act))
            for stone in (stones[grave.subscription_id] for grave in erected)
        ],
    )
    _remember(session, [(stones[grave.subscription_id], grave) for grave in erected], is_of_person=False)


def bury_person(session: Session, subscriber_id: UUID, act: Act) -> None:
    """Blank all evidence of one person, with one tombstone. Idempotent."""
    theirs = ConsentEvent.subscriber_id == subscriber_id
    known = session.execute(
        select(ConsentEvent.subscription_id, ConsentEvent.newsletter)
        .where(theirs, ConsentEvent.subscription_id.is_not(None))
        .distinct()
    )
    graves = [ErasedSubscription(subscriber_id, each.subscription_id, each.newsletter) for each in known]
    stone = _stone()
    blanked = _blank(session, theirs, literal(stone.event_id))
    if blanked:
        consent.record_all(session, [(stone, _saying(blanked[stone.event_id], ErasureReason.REQUEST, act))])
        _remember(session, [(stone, grave) for grave in graves], is_of_person=True)


def _stone() -> Step:
    return Step(EventType.ERASED, None, None, None, clock.now())


def _blank(session: Session, which: ColumnElement[bool], named_by: ColumnElement[UUID]) -> dict[UUID, list[AnyRow]]:
    """By tombstone, in no order that tells which came first."""
    found = session.execute(
        update(ConsentEvent)
        .where(which, ConsentEvent.evidence.is_not(None), ConsentEvent.type != EventType.ERASED)
        .values(
            evidence=None,
            salt=None,
            subscriber_id=None,
            subscription_id=None,
            newsletter=None,
            occurred_at=_day(session),
            erased_by=named_by,
        )
        .returning(ConsentEvent.id, ConsentEvent.type, ConsentEvent.occurred_at, ConsentEvent.erased_by)
        .execution_options(synchronize_session=False)
    )
    blanked: dict[UUID, list[AnyRow]] = {}
    for event in sorted(found, key=lambda event: event.id):
        blanked.setdefault(event.erased_by, []).append(event)
    return blanked


def _day(session: Session) -> ColumnElement[object]:
    """The midnight before, in UTC: by the instant, whoever kept a list with it could find the event."""
    at = ConsentEvent.occurred_at
    if session.connection().dialect.name == "sqlite":
        return type_coerce(func.substr(type_coerce(at, Text), 1, 10) + "T00:00:00.000+00:00", Instant)
    return func.date_trunc("day", at, "UTC")


def _saying(blanked: Iterable[AnyRow], reason: ErasureReason, act: Act) -> Act:
    erased: list[JsonValue] = [
        {
            "event": str(event.id),
            "occurred_on": event.occurred_at.astimezone(UTC).date().isoformat(),
            "type": event.type,
        }
        for event in blanked
    ]
    return Act(act.actor, {"method": act.details["method"], "erased": erased, "reason": reason})


def _remember(session: Session, graves: Sequence[tuple[Step, ErasedSubscription]], *, is_of_person: bool) -> None:
    rows = [
        {
            "event_id": stone.event_id,
            "subscription_id": grave.subscription_id,
            "subscriber_id": grave.subscriber_id,
            "newsletter": grave.newsletter,
            "is_of_person": is_of_person,
            "erased_at": stone.occurred_at,
        }
        for stone, grave in graves
    ]
    if rows:
        json_insert.insert_all(session.connection(), RecentErasure, rows)
