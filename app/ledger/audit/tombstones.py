"""Checks each event without evidence against the tombstone that names it, tombstone by tombstone.

Each blanked event has the id of its tombstone, so both come in one stream, and only one tombstone's rows are in memory.
Of what older versions erased, event and tombstone have the same subscriber id instead.
"""

import json
from collections.abc import Iterator
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, func, or_, select

from app.consent import ConsentEvent, EventType
from app.ledger.audit.stored import IDENTIFYING, Forms, raw, stream

_Named = tuple[Any, ...]


def check(connection: Connection) -> Iterator[str]:
    forms = Forms.of(connection)
    for statement in (_BY_TOMBSTONE, _BY_PERSON):
        with stream(connection, statement) as events:
            for _together, rows in groupby(events, lambda row: row.together):
                yield from _named_together([*rows], forms)


def _named_together(rows: list[Any], forms: Forms) -> Iterator[str]:
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
        if "subscription" in each:
            at, subscription = forms.instant(each["occurred_at"]), forms.id(each["subscription"])
            yield (forms.id(each["event"]), each["type"], at, subscription, each["newsletter"])
        else:
            midnight = forms.instant(f"{each['occurred_on']}T00:00:00.000Z")
            yield (forms.id(each["event"]), each["type"], midnight, None, None)


_ERASED_OR_TOMBSTONE = or_(ConsentEvent.evidence.is_(None), ConsentEvent.type == EventType.ERASED)
_TOGETHER = func.coalesce(raw(ConsentEvent.erased_by), raw(ConsentEvent.id)).label("together")
_BY_TOMBSTONE = (
    select(*map(raw, IDENTIFYING), ConsentEvent.evidence, raw(ConsentEvent.erased_by), _TOGETHER)
    .where(_ERASED_OR_TOMBSTONE, ConsentEvent.subscriber_id.is_(None))
    .order_by(_TOGETHER)
)
_BY_PERSON = (
    select(
        *map(raw, IDENTIFYING),
        ConsentEvent.evidence,
        raw(ConsentEvent.erased_by),
        raw(ConsentEvent.subscriber_id).label("together"),
    )
    .where(_ERASED_OR_TOMBSTONE, ConsentEvent.subscriber_id.is_not(None))
    .order_by(ConsentEvent.subscriber_id)
)
