"""Access (GDPR Art. 15(1) and (3)): everything there is about one person, as rows.

Invariant: every table that speaks of a person, by id or by digest of the address, is a `Part`, and each of its columns
is told but those of `WORKINGS`.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, select

from app.budgets import MailBudget
from app.consent import ConsentEvent
from app.database import AnyRow, Base
from app.ledger.model import LogEntry
from app.newsletters.model import Wording
from app.outbox import Letter
from app.subscriptions.model import Subscriber, Subscription
from app.subscriptions.moving import AddressChange
from app.subscriptions.stubs import Stub
from app.suppressions import Suppression

WORKINGS = frozenset({"attempt", "digest", "lease", "leased_until", "nonce", "tries", "version"})
"""What keeps links and workers from being fooled or from colliding. It says nothing about anyone."""


@dataclass(frozen=True, slots=True)
class Identity:
    subscriber_ids: Sequence[UUID]
    """The person's own, and those under which earlier requests from the address came to nothing."""
    digest: str


@dataclass(frozen=True, slots=True)
class Part:
    """One kind of thing that is kept about people: where it is kept, and which rows are theirs."""

    model: type[Base]
    theirs: Callable[[Identity], ColumnElement[bool]]
    order_by: ColumnElement[Any]

    @property
    def columns(self) -> list[str]:
        return [each.name for each in self.model.__table__.columns if each.name not in WORKINGS]


PARTS: Mapping[str, Part] = {
    "person": Part(Subscriber, lambda who: Subscriber.id.in_(who.subscriber_ids), Subscriber.__table__.c.created_at),
    "subscriptions": Part(
        Subscription,
        lambda who: Subscription.subscriber_id.in_(who.subscriber_ids),
        Subscription.__table__.c.newsletter,
    ),
    "consent_events": Part(
        ConsentEvent,
        lambda who: ConsentEvent.subscriber_id.in_(who.subscriber_ids),
        ConsentEvent.__table__.c.occurred_at,
    ),
    "letters": Part(Letter, lambda who: Letter.subscriber_id.in_(who.subscriber_ids), Letter.__table__.c.created_at),
    "address_changes": Part(
        AddressChange,
        lambda who: AddressChange.subscriber_id.in_(who.subscriber_ids),
        AddressChange.__table__.c.asked_at,
    ),
    "lapsed_requests": Part(Stub, lambda who: Stub.subscriber_id.in_(who.subscriber_ids), Stub.__table__.c.lapsed_at),
    "suppressions": Part(Suppression, lambda who: Suppression.digest == who.digest, Suppression.__table__.c.since),
    "mail_budget": Part(MailBudget, lambda who: MailBudget.digest == who.digest, MailBudget.__table__.c.used_at),
}
"""By the name under which the person finds it."""


@dataclass(frozen=True, slots=True)
class Holdings:
    """Everything there is about one person."""

    parts: Mapping[str, Sequence[Mapping[str, Any]]]
    """Rows by the names of PARTS. An event has `position`, where it is sealed, and `details`, its evidence parsed."""
    wordings: Mapping[str, str]
    """Every text that the evidence cites, by its SHA-256."""

    @property
    def person(self) -> Mapping[str, Any]:
        return self.parts["person"][0]

    @property
    def sources(self) -> list[str]:
        """The pages on which something was asked for (Art. 15(1)(g))."""
        pages = (each["details"].get("form_url") for each in self.parts["consent_events"])
        return sorted({page for page in pages if page})


def find(connection: Connection, subscriber_id: UUID) -> Holdings | None:
    """None where the person has been erased."""
    digest = connection.scalar(select(Subscriber.digest).where(Subscriber.id == subscriber_id))
    if digest is None:
        return None
    earlier = connection.scalars(select(Stub.subscriber_id).where(Stub.digest == digest))
    who = Identity(sorted({subscriber_id, *earlier}), digest)
    parts = {name: [_told(part, row) for row in _rows(connection, part, who)] for name, part in PARTS.items()}
    if not parts["person"]:
        return None  # erased since the line above
    parts["consent_events"] = _events(connection, parts["consent_events"])
    return Holdings(parts, _wordings(connection, parts["consent_events"]))


def _rows(connection: Connection, part: Part, who: Identity) -> Sequence[AnyRow]:
    return connection.execute(select(part.model.__table__).where(part.theirs(who)).order_by(part.order_by)).all()


def _told(part: Part, row: AnyRow) -> Mapping[str, Any]:
    return {name: row._mapping[name] for name in part.columns}


def _events(connection: Connection, events: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    sealed = select(LogEntry.event_id, LogEntry.position).where(LogEntry.event_id.in_(each["id"] for each in events))
    positions = {row.event_id: row.position for row in connection.execute(sealed)}
    return [
        {
            **each,
            "details": json.loads(each["evidence"]) if each["evidence"] else {},
            "position": positions.get(each["id"]),
        }
        for each in events
    ]


def _wordings(connection: Connection, events: Sequence[Mapping[str, Any]]) -> Mapping[str, str]:
    cited = {digest for each in events for digest in each["details"].get("wordings", {}).values()}
    found = connection.execute(select(Wording.sha256, Wording.text).where(Wording.sha256.in_(sorted(cited))))
    return {row.sha256: row.text for row in found}
