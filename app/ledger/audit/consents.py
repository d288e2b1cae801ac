"""Each confirmed subscription against the events that have to stand behind it: nobody is confirmed by a row alone.

Its newest step must be a confirmation that is in the log, or that this application wrote; and its newest request must
be about the address that the person has now. The ledger knows nothing of subscriptions, so their tables are named here
by the columns that count.
"""

import json
from collections.abc import Callable, Iterator
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, Text, and_, column, func, select, table

from app import consent, macs
from app.addresses import EmailAddress
from app.consent import ConsentEvent, EventType
from app.ledger.audit.stored import instant, is_ours, raw, stream
from app.ledger.model import LogEntry, UnsealedEvent
from app.macs import Macs

ENDINGS = (
    EventType.DECLINED,
    EventType.UNSUBSCRIBED,
    EventType.EXPIRED,
    EventType.BOUNCED,
    EventType.COMPLAINED,
)


def check(connection: Connection) -> Iterator[str]:
    """A line for each confirmed subscription that its events do not bear out. Raises WithoutKeys."""
    keys = macs.of(connection)
    with stream(connection, _STEPS) as steps:
        for subscription, rows in groupby(steps, lambda row: row.subscription):
            if wrong := _wrong([*rows], keys):
                yield f"subscription {subscription}: {wrong}"


def _wrong(rows: list[Any], keys: Macs) -> str | None:
    steps = [each for each in rows if each.id is not None]
    confirmed = [each for each in steps if each.type == EventType.CONFIRMED and is_ours(each, keys)]
    ended = [each for each in steps if each.type in ENDINGS]
    asked = [each for each in steps if each.type == EventType.REQUESTED]
    if not confirmed:
        return "it is confirmed, but no event of this application says that anybody confirmed it"
    # One of both orders has to fit: an adopted event got its place late, and the clocks of two machines differ.
    if ended and not any(max(map(order, confirmed)) > max(map(order, ended)) for order in ORDERS):
        return "it is confirmed, but by its events it has ended, and nobody has confirmed it since"
    if asked and not any(_is_about_the_address(max(asked, key=order)) for order in ORDERS):
        return "it is confirmed, but its newest request is about another address than the person has"
    return None


def _by_place(step: Any) -> tuple[bool, int]:
    """What waits is behind all that is in the log."""
    return (True, step.number or 0) if step.position is None else (False, step.position)


def _by_time(step: Any) -> float:
    happened = instant(step.occurred_at)
    return happened.timestamp() if happened else 0


ORDERS: tuple[Callable[[Any], Any], ...] = (_by_place, _by_time)


def _is_about_the_address(request: Any) -> bool:
    try:
        said = json.loads(request.evidence).get("address_commitment") if request.evidence else None
    except (ValueError, AttributeError):
        return True  # What the audit of events is for.
    address = EmailAddress(request.canonical, request.canonical)
    return said in (None, consent.commitment(request.commitment_key, address))


_subscriptions = table(
    "subscriptions", column("id"), column("subscriber_id"), column("newsletter"), column("status", Text)
)
_subscribers = table("subscribers", column("id"), column("canonical"), column("commitment_key"))
_STEPS = (
    select(
        _subscriptions.c.id.label("subscription"),
        _subscribers.c.canonical,
        _subscribers.c.commitment_key,
        raw(ConsentEvent.id),
        ConsentEvent.type,
        raw(ConsentEvent.occurred_at),
        ConsentEvent.evidence,
        ConsentEvent.evidence_hash,
        func.coalesce(UnsealedEvent.mac, ConsentEvent.mac).label("mac"),
        LogEntry.position,
        UnsealedEvent.number,
    )
    .join(_subscribers, _subscribers.c.id == _subscriptions.c.subscriber_id)
    .outerjoin(
        ConsentEvent,
        and_(
            ConsentEvent.subscription_id == _subscriptions.c.id,
            ConsentEvent.subscriber_id == _subscriptions.c.subscriber_id,
            ConsentEvent.newsletter == _subscriptions.c.newsletter,
            ConsentEvent.type != EventType.LETTER_ACCEPTED,
        ),
    )
    .outerjoin(LogEntry, LogEntry.event_id == ConsentEvent.id)
    .outerjoin(UnsealedEvent, UnsealedEvent.event_id == ConsentEvent.id)
    .where(_subscriptions.c.status == "confirmed")
    .order_by(_subscriptions.c.id)
)
