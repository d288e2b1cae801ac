"""Checks that each event matches its evidence, and is in the log, or waits for sealing with a MAC of ours."""

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, func, select

from app import event_macs
from app.consent import ConsentEvent
from app.event_macs import Macs
from app.ledger.audit.stored import IDENTIFYING, Forms, counted, is_ours, raw, stream, unhex
from app.ledger.model import LogEntry, RefusedEvent, UnsealedEvent
from app.ledger.verifier import evidence_hash


def check(connection: Connection, seen: Callable[[int], None]) -> Iterator[str]:
    forms, keys = Forms.of(connection), event_macs.of(connection)
    with stream(connection, _EVENTS) as events:
        for event in counted(events, seen):
            for wrong in (_in_the_log(event, keys), *content(event, forms)):
                if wrong:
                    yield f"event {event.id}: {wrong}"
    with stream(connection, _STRAYS) as strays:
        for stray in strays:
            yield f"event {stray.event_id}: it awaits its place in the log, but it is gone"


def disagreements(connection: Connection, event_ids: Sequence[UUID]) -> Iterator[str]:
    """One line for each of these events whose columns and evidence do not match, or whose evidence is missing."""
    forms = Forms.of(connection)
    for event in connection.execute(_EVENTS.where(ConsentEvent.id.in_(event_ids))):
        if event.evidence is None:
            yield f"event {event.id}: its evidence is gone, so nobody can tell what they would vouch for"
        for wrong in content(event, forms):
            yield f"event {event.id}: {wrong}"


def _in_the_log(event: Any, keys: Macs) -> str | None:
    waits = event.number is not None or event.refused_at is not None
    if event.position is None and not waits:
        return "it is neither in the log nor awaits it: it was slipped in, or would never be sealed"
    if event.position is not None and waits:
        return f"it is in the log at position {event.position}, and awaits a place once more"
    if not is_ours(event, keys):
        return "it is not sealed, as no MAC shows that this application wrote it; see `jawel ledger adopt`"
    return None


def content(event: Any, forms: Forms) -> Iterator[str]:
    """Mismatches between the event's columns, as stored, and its evidence."""
    if event.evidence is None:
        return  # The audit of tombstones checks it.
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
        func.coalesce(UnsealedEvent.mac, ConsentEvent.mac).label("mac"),
        LogEntry.position,
        UnsealedEvent.number,
        raw(RefusedEvent.refused_at),
    )
    .outerjoin(LogEntry, LogEntry.event_id == ConsentEvent.id)
    .outerjoin(UnsealedEvent, UnsealedEvent.event_id == ConsentEvent.id)
    .outerjoin(RefusedEvent, RefusedEvent.event_id == ConsentEvent.id)
)
_STRAYS = (
    select(raw(UnsealedEvent.event_id))
    .outerjoin(ConsentEvent, ConsentEvent.id == UnsealedEvent.event_id)
    .where(ConsentEvent.id.is_(None))
)
