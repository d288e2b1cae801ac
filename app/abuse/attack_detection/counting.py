"""Counts requests, confirmations and declines per newsletter and minute, from the sealed log.

Invariant: counts and log position are written together, by one counter at a time. So each sealed event is counted
once, even if a counter dies at any point.

What another service asked with its key is not counted, nor what people answered to it: it says nothing about a form
that anyone can send, and a shop whose customers do not confirm must not have the form's visitors prove work.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime

from sqlalchemy import Connection, bindparam, case, delete, func, select
from sqlalchemy.orm import Session, aliased

from app import clock
from app.abuse.attack_detection.model import BreakerMinute, BreakerProgress
from app.abuse.attack_detection.rules import HOUR, Counts
from app.consent import BY_KEY, ConsentEvent, EventType
from app.database import AnyRow
from app.database.upsert import insert_into
from app.ledger.model import LogEntry

AT_MOST = 2000
COLUMNS = {
    EventType.REQUESTED: BreakerMinute.requests.key,
    EventType.CONFIRMED: BreakerMinute.confirmations.key,
    EventType.DECLINED: BreakerMinute.declines.key,
}


def count(session: Session, now: datetime) -> int:
    """Count the next AT_MOST sealed events; return their number. Call under AdvisoryLock.ATTACK_DETECTION."""
    connection = session.connection()
    position = connection.scalar(select(BreakerProgress.next_position)) or 0
    entries = connection.execute(_ENTRIES, {"position": position, "at_most": AT_MOST}).all()
    if entries:
        # Only the last hour matters: older events come with a long log's first count, later ones from a clock ahead.
        lately = (each for each in entries if now - HOUR < each.occurred_at <= now + clock.AHEAD)
        _add(connection, _by_minute(lately))
        _go_on_from(connection, entries[-1].position + 1)
    return len(entries)


def last_hour(connection: Connection, now: datetime) -> dict[str, Counts]:
    """By newsletter; those without an entry had no events."""
    found = connection.execute(_LAST_HOUR, {"since": now - HOUR, "until": now + clock.AHEAD})
    return {row.newsletter: Counts(row.requests, row.confirmations, row.declines) for row in found}


def forget(session: Session, newsletter: str) -> None:
    """Delete the newsletter's counts."""
    session.execute(delete(BreakerMinute).where(BreakerMinute.newsletter == newsletter))


def _by_minute(entries: Iterable[AnyRow]) -> dict[tuple[datetime, str], Counter[str]]:
    minutes: dict[tuple[datetime, str], Counter[str]] = defaultdict(Counter)
    for each in entries:
        if (column := COLUMNS.get(each.type)) and not _is_by_key(each.request):
            minutes[each.occurred_at.replace(second=0, microsecond=0), each.newsletter][column] += 1
    return minutes


def _is_by_key(request: str | None) -> bool:
    """False also for evidence that was erased."""
    return str(json.loads(request or "{}").get("method", "")).startswith(BY_KEY)


def _add(connection: Connection, minutes: Mapping[tuple[datetime, str], Counter[str]]) -> None:
    rows = [
        {"minute": minute, "newsletter": newsletter, **{column: counted[column] for column in COLUMNS.values()}}
        for (minute, newsletter), counted in sorted(minutes.items())
    ]
    if rows:
        insert = insert_into(BreakerMinute, connection)
        sums = {name: BreakerMinute.__table__.columns[name] + insert.excluded[name] for name in COLUMNS.values()}
        connection.execute(insert.on_conflict_do_update(index_elements=["minute", "newsletter"], set_=sums), rows)


def _go_on_from(connection: Connection, position: int) -> None:
    insert = insert_into(BreakerProgress, connection).values(id=1, next_position=position)
    connection.execute(insert.on_conflict_do_update(index_elements=["id"], set_={"next_position": position}))


_request = aliased(ConsentEvent)
_ANSWERED = (
    select(_request.evidence)
    .where(
        _request.subscription_id == ConsentEvent.subscription_id,
        _request.type == EventType.REQUESTED,
        _request.occurred_at <= ConsentEvent.occurred_at,
    )
    .order_by(_request.occurred_at.desc())
    .limit(1)
    .scalar_subquery()
)
_REQUEST = case(
    (ConsentEvent.type == EventType.REQUESTED, ConsentEvent.evidence),
    (ConsentEvent.type.in_(COLUMNS), _ANSWERED),
)
"""The evidence of the request: of the event itself, or of the newest one before it."""
_ENTRIES = (
    select(
        LogEntry.position,
        ConsentEvent.type,
        ConsentEvent.newsletter,
        ConsentEvent.occurred_at,
        _REQUEST.label("request"),
    )
    .join(ConsentEvent, ConsentEvent.id == LogEntry.event_id)
    .where(LogEntry.position >= bindparam("position"))
    .order_by(LogEntry.position)
    .limit(bindparam("at_most"))
)
_LAST_HOUR = (
    select(
        BreakerMinute.newsletter,
        func.sum(BreakerMinute.requests).label("requests"),
        func.sum(BreakerMinute.confirmations).label("confirmations"),
        func.sum(BreakerMinute.declines).label("declines"),
    )
    .where(BreakerMinute.minute > bindparam("since"), BreakerMinute.minute <= bindparam("until"))
    .group_by(BreakerMinute.newsletter)
)
