"""Checks each confirmed subscription against its events: a row alone does not prove a confirmation.

Its newest step must be a confirmation that is in the log or that this application wrote; its newest request must be
about the person's present address; and the letter that confirmed it must be the one that the request owed, delivered to
the address of the request. For every person, confirmed or not, `address` must be a spelling of `canonical`. The ledger
does not depend on subscriptions, so this module declares their tables itself, with only the columns that it needs.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, Text, and_, column, func, select, table

from app import consent, event_macs
from app.addresses import EmailAddress
from app.consent import ConsentEvent, EventType
from app.event_macs import Macs
from app.ledger.audit.stored import instant, is_ours, raw, stream
from app.ledger.model import LogEntry, UnsealedEvent
from app.ledger.verifier import letter_astray, undone_events

ENDINGS = (
    EventType.DECLINED,
    EventType.UNSUBSCRIBED,
    EventType.EXPIRED,
    EventType.BOUNCED,
    EventType.COMPLAINED,
)


@dataclass(frozen=True, slots=True)
class _Step:
    """An event of one subscription, with its evidence parsed once."""

    row: Any
    said: Mapping[str, Any]
    """The evidence; empty if it was erased or cannot be parsed, which the audit of events reports."""
    is_ours: bool

    @classmethod
    def of(cls, row: Any, keys: Macs) -> "_Step":
        try:
            evidence = json.loads(row.evidence or "{}")
        except ValueError:
            evidence = {}
        return cls(row, evidence if isinstance(evidence, dict) else {}, is_ours(row, keys))


def check(connection: Connection) -> Iterator[str]:
    """One line for each confirmed subscription that its events do not support. Raises WithoutKeys."""
    keys, unnoted = event_macs.of(connection), dict[str, Any]()
    with stream(connection, _STEPS) as found:
        for subscription, rows in groupby(found, lambda row: row.subscription):
            steps = [_Step.of(each, keys) for each in rows if each.id is not None]
            if wrong := _wrong(steps):
                yield f"subscription {subscription}: {wrong}"
            unnoted.update(_unrecorded_letters(steps))
    yield from _taken_for_others(connection, unnoted, keys)
    with stream(connection, _PEOPLE) as people:
        for person in people:
            if EmailAddress.of(person.address).canonical != person.canonical:
                yield f"subscriber {person.id}: the address that is written to is not the one that they are known by"


def _wrong(steps: list[_Step]) -> str | None:
    confirmed = [each for each in steps if each.row.type == EventType.CONFIRMED and each.is_ours]
    ended = [each for each in steps if each.row.type in ENDINGS]
    asked = [each for each in steps if each.row.type == EventType.REQUESTED]
    if not confirmed:
        return "it is confirmed, but no event of this application says that anybody confirmed it"
    # Either order suffices: an adopted event got its position late, and the clocks of two machines differ.
    if ended and not any(max(map(order, confirmed)) > max(map(order, ended)) for order in ORDERS):
        return "it is confirmed, but by its events it has ended, and nobody has confirmed it since"
    if asked and not any(_is_about_the_address(max(asked, key=order)) for order in ORDERS):
        return "it is confirmed, but its newest request is about another address than the person has"
    astray = [_letter_mismatch([each for each in steps if each.is_ours], order) for order in ORDERS]
    return f"it is confirmed, but {astray[0]}" if all(astray) else None


def _by_place(step: _Step) -> tuple[bool, int]:
    """Unsealed events sort after all sealed events."""
    position, number = step.row.position, step.row.number
    return (True, number or 0) if position is None else (False, position)


def _by_time(step: _Step) -> float:
    happened = instant(step.row.occurred_at)
    return happened.timestamp() if happened else 0


ORDERS: tuple[Callable[[_Step], Any], ...] = (_by_place, _by_time)


def _is_about_the_address(request: _Step) -> bool:
    address = EmailAddress.of(request.row.canonical)
    said = request.said.get("address_commitment")
    return said in (None, consent.commitment(request.row.commitment_key, address))


def _letter_mismatch(steps: list[_Step], order: Callable[[_Step], Any]) -> str | None:
    undone = undone_events(_evidence(steps, EventType.REQUESTED))
    ended = (each for each in steps if each.row.type in ENDINGS and each.said.get("event") not in undone)
    over = max(map(order, ended), default=None)
    since = sorted((each for each in steps if over is None or order(each) > over), key=order)
    asked, confirmed = _evidence(since, EventType.REQUESTED), _evidence(since, EventType.CONFIRMED)
    taken = _evidence(steps, EventType.LETTER_ACCEPTED)
    return next(filter(None, (letter_astray(asked, taken, each) for each in confirmed)), None)


def _evidence(steps: Iterable[_Step], kind: EventType) -> list[Mapping[str, Any]]:
    return [each.said for each in steps if each.row.type == kind]


def _unrecorded_letters(steps: list[_Step]) -> Iterator[tuple[str, Any]]:
    """Letters that confirmed it without a recorded acceptance by a mail server: few, after crashes."""
    taken = {letter.get("letter") for letter in _evidence(steps, EventType.LETTER_ACCEPTED)}
    for each in steps:
        letter = each.said.get("letter")
        if each.row.type == EventType.CONFIRMED and each.is_ours and letter and letter not in taken:
            yield letter, each.row


def _taken_for_others(connection: Connection, unnoted: Mapping[str, Any], keys: Macs) -> Iterator[str]:
    if not unnoted:
        return
    with stream(connection, _TAKEN) as letters:
        for letter in (_Step.of(each, keys) for each in letters):
            theirs = unnoted.get(letter.said.get("letter", ""))
            if theirs is not None and letter.is_ours and letter.row.subscriber_id != theirs.subscriber_id:
                yield f"subscription {theirs.subscription}: it is confirmed, but by a letter that went to somebody else"


_subscriptions = table(
    "subscriptions", column("id"), column("subscriber_id"), column("newsletter"), column("status", Text)
)
_subscribers = table("subscribers", column("id"), column("address"), column("canonical"), column("commitment_key"))
_PEOPLE = select(_subscribers.c.id, _subscribers.c.address, _subscribers.c.canonical)
_EVENT: tuple[Any, ...] = (
    raw(ConsentEvent.id),
    raw(ConsentEvent.subscriber_id),
    ConsentEvent.type,
    raw(ConsentEvent.occurred_at),
    ConsentEvent.evidence,
    ConsentEvent.evidence_hash,
    func.coalesce(UnsealedEvent.mac, ConsentEvent.mac).label("mac"),
    LogEntry.position,
    UnsealedEvent.number,
)
_STEPS = (
    select(
        _subscriptions.c.id.label("subscription"),
        _subscribers.c.canonical,
        _subscribers.c.commitment_key,
        *_EVENT,
    )
    .join(_subscribers, _subscribers.c.id == _subscriptions.c.subscriber_id)
    .outerjoin(
        ConsentEvent,
        and_(
            ConsentEvent.subscription_id == _subscriptions.c.id,
            ConsentEvent.subscriber_id == _subscriptions.c.subscriber_id,
            ConsentEvent.newsletter == _subscriptions.c.newsletter,
        ),
    )
    .outerjoin(LogEntry, LogEntry.event_id == ConsentEvent.id)
    .outerjoin(UnsealedEvent, UnsealedEvent.event_id == ConsentEvent.id)
    .where(_subscriptions.c.status == "confirmed")
    .order_by(_subscriptions.c.id)
)
_TAKEN = (
    select(*_EVENT)
    .outerjoin(LogEntry, LogEntry.event_id == ConsentEvent.id)
    .outerjoin(UnsealedEvent, UnsealedEvent.event_id == ConsentEvent.id)
    .where(ConsentEvent.type == EventType.LETTER_ACCEPTED)
)
