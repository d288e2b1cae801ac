"""Each event against its evidence, and that each is in the log or awaits it."""

import json
from collections.abc import Callable, Iterator
from typing import Any

from sqlalchemy import Connection, select

from app.consent import ConsentEvent
from app.ledger.audit.stored import IDENTIFYING, Forms, counted, raw, stream, unhex
from app.ledger.model import LogEntry, UnsealedEvent
from app.ledger.verifier import evidence_hash


def check(connection: Connection, seen: Callable[[int], None]) -> Iterator[str]:
    forms = Forms(on_sqlite=connection.dialect.name == "sqlite")
    with stream(connection, _EVENTS) as events:
        for event in counted(events, seen):
            for wrong in (_in_the_log(event), *_content(event, forms)):
                if wrong:
                    yield f"event {event.id}: {wrong}"
    with stream(connection, _STRAYS) as strays:
        for stray in strays:
            yield f"event {stray.event_id}: it awaits its place in the log, but it is gone"


def _in_the_log(event: Any) -> str | None:
    if event.position is None and event.number is None:
        return "it is neither in the log nor awaits it: it was slipped in, or would never be sealed"
    if event.position is not None and event.number is not None:
        return f"it is in the log at position {event.position}, and awaits a place once more"
    return None


def _content(event: Any, forms: Forms) -> Iterator[str]:
    if event.evidence is None:
        return  # What tombstones are for.
    salt = unhex(event.salt)
    if salt is None:
        yield "its salt is not in hexadecimal, so its evidence proves nothing"
    elif _hash(event.evidence, salt) != event.evidence_hash:
        yield "evidence and salt do not have the hash that was taken of them: one of the three was changed"
    try:
        said = _said(event.evidence, forms)
    except (ValueError, KeyError, TypeError, AttributeError):
        yield "its evidence cannot be read"
        return
    for name, value in said.items():
        if getattr(event, name) != value:
            yield f"its column {name} is not what its evidence says"


def _hash(evidence: str, salt: bytes) -> str | None:
    try:
        return evidence_hash(evidence, salt).hex()
    except UnicodeEncodeError:
        return None


def _said(text: str, forms: Forms) -> dict[str, Any]:
    evidence = json.loads(text)
    return {
        "id": forms.id(evidence["event"]),
        "type": evidence["type"],
        "subscriber_id": forms.id(evidence["subscriber"]),
        "subscription_id": forms.id(evidence["subscription"]),
        "newsletter": evidence["newsletter"],
        "occurred_at": forms.instant(evidence["occurred_at"]),
    }


_EVENTS = (
    select(
        *map(raw, IDENTIFYING),
        ConsentEvent.evidence,
        ConsentEvent.salt,
        ConsentEvent.evidence_hash,
        LogEntry.position,
        UnsealedEvent.number,
    )
    .outerjoin(LogEntry, LogEntry.event_id == ConsentEvent.id)
    .outerjoin(UnsealedEvent, UnsealedEvent.event_id == ConsentEvent.id)
)
_STRAYS = (
    select(raw(UnsealedEvent.event_id))
    .outerjoin(ConsentEvent, ConsentEvent.id == UnsealedEvent.event_id)
    .where(ConsentEvent.id.is_(None))
)
