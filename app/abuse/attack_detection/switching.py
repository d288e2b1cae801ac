"""Switches breakers, by the last hour's counts or by hand; each change is kept, with its reason and counts."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from app.abuse.attack_detection import counting
from app.abuse.attack_detection.model import Breaker, BreakerChange, BreakerMinute
from app.abuse.attack_detection.rules import NOTHING, Counts, Switch, judge, sign_of_attack
from app.database.locks import AdvisoryLock, await_lock
from app.database.purge import purge_rows

MINUTES_KEPT_FOR = timedelta(hours=2)
CHANGES_KEPT_FOR = timedelta(days=90)
BY_HAND = "by hand"
OFTEN_ENOUGH = timedelta(minutes=1)
"""Precision of `attacked_at`: it is updated at most this often."""


def switch(session: Session, now: datetime) -> list[BreakerChange]:
    """Trip and reset breakers by the last hour's counts. Call under AdvisoryLock.ATTACK_DETECTION."""
    hours = counting.last_hour(session.connection(), now)
    breakers = {each.newsletter: each for each in session.scalars(select(Breaker))}
    _note_attacks(session, (each for each in breakers.values() if sign_of_attack(_of(hours, each))), now)
    changes: list[BreakerChange] = []
    for newsletter in sorted({*hours, *breakers}):
        breaker = breakers.get(newsletter)
        hour = hours.get(newsletter, NOTHING)
        if change := judge(breaker.attacked_at if breaker else None, hour, now):
            changes.append(_change(session, newsletter, change, now))
    return changes


def trip(session: Session, newsletter: str, now: datetime) -> BreakerChange | None:
    """By hand: for an hour, and longer if it looks like an attack then. None if it is tripped already."""
    await_lock(session.connection(), AdvisoryLock.ATTACK_DETECTION)
    if session.get(Breaker, newsletter):
        return None
    return _change(session, newsletter, Switch(True, BY_HAND, _last_hour(session, newsletter, now)), now)


def reset(session: Session, newsletter: str, now: datetime) -> BreakerChange | None:
    """By hand: the counts until now are deleted. None if it is not tripped."""
    await_lock(session.connection(), AdvisoryLock.ATTACK_DETECTION)
    if session.get(Breaker, newsletter) is None:
        return None
    change = _change(session, newsletter, Switch(False, BY_HAND, _last_hour(session, newsletter, now)), now)
    counting.forget(session, newsletter)
    return change


def purge_minutes(session: Session, now: datetime, *, at_most: int) -> int:
    """Returns how many counts were deleted."""
    return purge_rows(session, BreakerMinute, BreakerMinute.minute <= now - MINUTES_KEPT_FOR, at_most=at_most)


def purge_changes(session: Session, now: datetime, *, at_most: int) -> int:
    return purge_rows(session, BreakerChange, BreakerChange.changed_at <= now - CHANGES_KEPT_FOR, at_most=at_most)


def _last_hour(session: Session, newsletter: str, now: datetime) -> Counts:
    return counting.last_hour(session.connection(), now).get(newsletter, NOTHING)


def _of(hours: dict[str, Counts], breaker: Breaker) -> Counts:
    return hours.get(breaker.newsletter, NOTHING)


def _note_attacks(session: Session, attacked: Iterable[Breaker], now: datetime) -> None:
    stale = [each.newsletter for each in attacked if abs(now - each.attacked_at) >= OFTEN_ENOUGH]
    if stale:
        session.execute(update(Breaker).where(Breaker.newsletter.in_(stale)).values(attacked_at=now))


def _change(session: Session, newsletter: str, change: Switch, now: datetime) -> BreakerChange:
    if change.is_tripped:
        session.add(Breaker(newsletter=newsletter, tripped_at=now, reason=change.reason, attacked_at=now))
    else:
        session.execute(delete(Breaker).where(Breaker.newsletter == newsletter))
    kept = BreakerChange(
        newsletter=newsletter,
        changed_at=now,
        is_tripped=change.is_tripped,
        reason=change.reason,
        requests=change.hour.requests,
        confirmations=change.hour.confirmations,
        declines=change.hour.declines,
    )
    session.add(kept)
    session.flush()
    return kept
