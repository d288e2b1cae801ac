"""The nightly audit: the claim on it, and the result of the last one."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, and_, delete, or_, select
from sqlalchemy.orm import Session

from app.database.upsert import insert_into
from app.ledger.model import Audit

NIGHT = timedelta(hours=2)
"""After midnight UTC."""
ABANDONED_AFTER = timedelta(hours=6)
AHEAD = timedelta(hours=1)
"""Tolerance for differences between the clocks of several machines."""


@dataclass(frozen=True, slots=True)
class Result:
    finished_at: datetime
    events: int
    findings: int


def claim(session: Session, now: datetime) -> bool:
    """Claim tonight's audit. False if another process has begun it, unless that one abandoned it."""
    mine = insert_into(Audit, session).values(day=_day(now), begun_at=now)
    abandoned = and_(Audit.finished_at.is_(None), Audit.begun_at < now - ABANDONED_AFTER)
    # Begun in the future by a clock that was ahead, so not for this night.
    not_yet = Audit.begun_at > now + AHEAD
    anew = {"begun_at": now, "finished_at": None}
    claimed = mine.on_conflict_do_update(index_elements=[Audit.day], set_=anew, where=or_(abandoned, not_yet))
    if session.execute(claimed.returning(Audit.day)).first() is None:
        return False
    # An audit of a future night would count as the newest until then.
    session.execute(delete(Audit).where(Audit.day > _day(now + AHEAD)))
    return True


def give_back(session: Session, begun_at: datetime) -> None:
    session.execute(delete(Audit).where(Audit.day == _day(begun_at), Audit.finished_at.is_(None)))


def record(session: Session, begun_at: datetime, result: Result) -> None:
    values: dict[str, Any] = {
        "begun_at": begun_at,
        "finished_at": result.finished_at,
        "events": result.events,
        "findings": result.findings,
    }
    session.merge(Audit(day=_day(begun_at), **values))


def latest(connection: Connection) -> Result | None:
    found = connection.execute(_LATEST).first()
    return Result(found.finished_at, found.events, found.findings) if found else None


def _day(instant: datetime) -> str:
    return (instant - NIGHT).date().isoformat()


_LATEST = (
    select(Audit.finished_at, Audit.events, Audit.findings)
    .where(Audit.finished_at.is_not(None))
    .order_by(Audit.day.desc())
    .limit(1)
)
