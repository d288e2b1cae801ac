"""What other services state of the requests that a confirmation letter asks about: the source, and when it was asked.

Whoever reads the letter may not know of the request, so letter and page name where the address comes from
(GDPR Art. 14(2)(f)), as evidence keeps it: stated by somebody else, and never taken for the time at which we were told.
"""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, select

from app.consent import ConsentEvent, EventType
from app.database import AnyRow

BY_API = "api:"
"""How the `method` of an order begins; the name of the key follows."""


@dataclass(frozen=True, slots=True)
class StatedOrder:
    source: str
    """As stated, else the name of the service's key."""
    requested_at: datetime | None
    told_at: datetime


@dataclass(frozen=True, slots=True)
class Origin:
    """How a letter came to be asked for."""

    is_asked_here: bool = True
    """Whether anybody asked for it here, by a form of ours or on another site."""
    orders: tuple[StatedOrder, ...] = ()
    """Oldest first."""


HERE = Origin()


def of(connection: Connection, letters: Mapping[UUID, Collection[UUID]]) -> Mapping[UUID, Origin]:
    """By letter id, from the ids of the subscriptions that each asks about. One statement."""
    asked = {each for about in letters.values() for each in about}
    found = connection.execute(
        select(ConsentEvent.occurred_at, ConsentEvent.evidence)
        .where(
            ConsentEvent.subscription_id.in_(asked),
            ConsentEvent.type == EventType.REQUESTED,
            ConsentEvent.evidence.is_not(None),
        )
        .order_by(ConsentEvent.occurred_at)
    )
    requests = [(row, json.loads(row.evidence or "{}")) for row in found] if asked else []
    by_letter = {id: [each for each in requests if each[1].get("letter_owed") == str(id)] for id in letters}
    return {letter_id: _origin(theirs) for letter_id, theirs in by_letter.items()}


def source_of(request: Mapping[str, Any]) -> str | None:
    """From the evidence of a request; None if it was made here."""
    method = str(request.get("method"))
    return (request.get("source") or method.removeprefix(BY_API)) if method.startswith(BY_API) else None


def _origin(requests: Collection[tuple[AnyRow, Mapping[str, Any]]]) -> Origin:
    ordered = [(row, said, source) for row, said in requests if (source := source_of(said))]
    orders = dict.fromkeys(
        StatedOrder(
            source=source,
            requested_at=datetime.fromisoformat(asked) if (asked := said.get("requested_at")) else None,
            told_at=row.occurred_at,
        )
        for row, said, source in ordered
    )
    return Origin(is_asked_here=len(ordered) < len(requests) or not requests, orders=tuple(orders))
