"""What other services state of the requests that a confirmation letter asks about: the source, and when it was asked.

Whoever reads the letter may not know of the request, so letter and page name where the address comes from
(GDPR Art. 14(2)(f)), as evidence keeps it: stated by somebody else, and never taken for the time at which we were told.
"""

import json
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, select

from app.consent import BY_KEY, ConsentEvent, EventType
from app.database import AnyRow


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
    if not asked:
        return dict.fromkeys(letters, HERE)
    found = connection.execute(
        select(ConsentEvent.occurred_at, ConsentEvent.evidence)
        .where(
            ConsentEvent.subscription_id.in_(asked),
            ConsentEvent.type == EventType.REQUESTED,
            ConsentEvent.evidence.is_not(None),
        )
        .order_by(ConsentEvent.occurred_at)
    )
    by_letter: dict[str, list[tuple[AnyRow, Mapping[str, Any]]]] = defaultdict(list)
    for row in found:
        said = json.loads(row.evidence)
        by_letter[said.get("letter_owed")].append((row, said))
    return {letter_id: _origin(by_letter[str(letter_id)]) for letter_id in letters}


def source_of(request: Mapping[str, Any]) -> str | None:
    """From the evidence of a request; None if it was made here."""
    method = str(request.get("method"))
    return (request.get("source") or method.removeprefix(BY_KEY)) if method.startswith(BY_KEY) else None


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
