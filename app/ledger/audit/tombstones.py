"""Checks each event without evidence against the tombstone that names it, person by person.

A tombstone has the same subscriber id as the events that it names, so both come in one stream, and only one person's
rows are in memory.
"""

import json
from collections.abc import Iterator
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, or_, select

from app.consent import ConsentEvent, EventType
from app.ledger.audit.stored import IDENTIFYING, Forms, raw, stream

_Named = tuple[Any, ...]


def check(connection: Connection) -> Iterator[str]:
    forms = Forms.of(connection)
    with stream(connection, _BY_PERSON) as events:
        for _subscriber, rows in groupby(events, lambda row: row.subscriber_id):
            yield from _person([*rows], forms)


def _person(rows: list[Any], forms: Forms) -> Iterator[str]:
    blank = {row.id: row for row in rows if row.evidence is None}
    named: dict[Any, _Named] = {}
    for tombstone in rows:
        if tombstone.evidence is not None:
            try:
                named |= {each[0]: each for each in _erased(tombstone.evidence, forms)}
            except (ValueError, KeyError, TypeError, AttributeError):
                yield f"tombstone {tombstone.id}: what it says it erased cannot be read"
    for identity, row in blank.items():
        if identity not in named:
            yield f"event {identity}: its evidence is gone, and no tombstone says that it was erased"
        elif named[identity] != (row.id, row.type, row.occurred_at, row.subscription_id, row.newsletter):
            yield f"event {identity}: it is not the event that its tombstone says was erased"
    for identity in named.keys() - blank.keys():
        yield f"event {identity}: a tombstone says that it was erased, but it is not without evidence there"


def _erased(text: str, forms: Forms) -> Iterator[_Named]:
    for each in json.loads(text)["erased"]:
        yield (
            forms.id(each["event"]),
            each["type"],
            forms.instant(each["occurred_at"]),
            forms.id(each["subscription"]),
            each["newsletter"],
        )


_BY_PERSON = (
    select(*map(raw, IDENTIFYING), ConsentEvent.evidence)
    .where(or_(ConsentEvent.evidence.is_(None), ConsentEvent.type == EventType.ERASED))
    .order_by(ConsentEvent.subscriber_id)
)
