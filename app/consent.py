"""Consent events: one immutable record for every step, written together with the change it records.

Invariant: an event is inserted once. The database refuses every later change except erasure, which blanks evidence and
salt, and with them whose and what event it was: its type, its day and the tombstone that names it stay. Evidence is
kept as the exact RFC 8785 text, so that anyone can recompute its hash; the salt prevents guessing the evidence from the
hash. The MAC shows that this application wrote the event.
"""

import hashlib
import hmac
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from importlib.metadata import version
from typing import Any, TypeAlias
from uuid import UUID, uuid4

import orjson
from sqlalchemy import CheckConstraint, Connection, Index, insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from app import event_macs
from app.addresses import EmailAddress
from app.database import Base, Instant, json_insert

SOFTWARE = f"jawel {version('jawel')}"
HASH_DOMAIN = b"jawel/consent/v1\n"
BY_KEY = "api:"
"""Begins the `method` of an act of another service, before the name of its API key."""

JsonValue: TypeAlias = "str | int | bool | Sequence[JsonValue] | Mapping[str, JsonValue] | None"


class EventType(StrEnum):
    REQUESTED = "subscription.requested"
    LETTER_ACCEPTED = "letter.accepted"
    CONFIRMED = "subscription.confirmed"
    DECLINED = "subscription.declined"
    UNSUBSCRIBED = "subscription.unsubscribed"
    EXPIRED = "subscription.expired"
    BOUNCED = "subscription.bounced"
    COMPLAINED = "subscription.complained"
    SUPPRESSION_LIFTED = "suppression.lifted"
    CHANGED = "subscriber.changed"
    """The language or the address of the person: once for each subscription. No consent changes by it."""
    ERASED = "subscriber.erased"


class Actor(StrEnum):
    """Who acted, as far as known. A person who fills in a form has not yet shown that the mailbox is theirs."""

    UNVERIFIED = "unverified submitter"
    MAILBOX_HOLDER = "mailbox holder"
    CONTROLLER = "controller"
    SERVICE = "service"


class ConsentEvent(Base):
    __tablename__ = "consent_events"
    __table_args__ = (
        CheckConstraint(f"type IN ({', '.join(repr(str(kind)) for kind in EventType)})", "type"),
        CheckConstraint("(evidence IS NULL) = (salt IS NULL)", "erased_together"),
        Index(None, "subscription_id"),
        Index(None, "subscriber_id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    type: Mapped[str]
    subscriber_id: Mapped[UUID | None]
    """No foreign key, here and below: the event outlives the rows that it refers to. None: erased, or a tombstone."""
    subscription_id: Mapped[UUID | None]
    newsletter: Mapped[str | None]
    occurred_at: Mapped[datetime] = mapped_column(Instant)
    """Once erased, the day alone: its midnight in UTC."""
    evidence: Mapped[str | None]
    salt: Mapped[str | None]
    evidence_hash: Mapped[str]
    """The log's record of the event. Kept beside the evidence, because erasure may come before sealing."""
    mac: Mapped[str | None]
    """`Macs.make`: an event without it is not sealed. After sealing, the log's signature replaces it."""
    erased_by: Mapped[UUID | None]
    """The tombstone that names it. None also if it was erased before this column existed."""


@dataclass(frozen=True, slots=True)
class Act:
    """Who acted, and how: the evidence beyond the bare fact."""

    actor: Actor
    details: Mapping[str, JsonValue]
    """No floats: RFC 8785 has rules for them, but two programs seldom agree on a float's text."""


@dataclass(frozen=True, slots=True)
class Step:
    """What happened, to which subscription, and when."""

    type: EventType
    subscriber_id: UUID | None
    """None in a tombstone, which says nothing of whose events it names."""
    subscription_id: UUID | None
    """None, like the newsletter, if the step concerns the person as a whole."""
    newsletter: str | None
    occurred_at: datetime
    event_id: UUID = field(default_factory=uuid4)


def record(session: Session, step: Step, act: Act) -> None:
    session.execute(insert(ConsentEvent), row(session.connection(), step, act))


def record_all(session: Session, steps: Sequence[tuple[Step, Act]]) -> None:
    """Insert several events, in the given order."""
    if steps:
        connection = session.connection()
        json_insert.insert_all(connection, ConsentEvent, [row(connection, step, act) for step, act in steps])


def row(connection: Connection, step: Step, act: Act) -> dict[str, Any]:
    """The event's columns, for a caller that inserts in bulk. Raises WithoutKeys."""
    evidence = {
        **act.details,
        "actor": act.actor,
        "event": str(step.event_id),
        "newsletter": step.newsletter,
        "occurred_at": timestamp(step.occurred_at),
        "software": SOFTWARE,
        "subscriber": None if step.subscriber_id is None else str(step.subscriber_id),
        "subscription": None if step.subscription_id is None else str(step.subscription_id),
        "type": step.type,
    }
    text = canonical(evidence)
    salt = secrets.token_bytes(32)
    hashed = evidence_hash(text, salt)
    return {
        "id": step.event_id,
        "type": step.type,
        "subscriber_id": step.subscriber_id,
        "subscription_id": step.subscription_id,
        "newsletter": step.newsletter,
        "occurred_at": step.occurred_at,
        "evidence": text.decode(),
        "salt": salt.hex(),
        "evidence_hash": hashed,
        "mac": event_macs.of(connection).make(step.event_id, hashed),
    }


def evidence_hash(text: bytes, salt: bytes) -> str:
    """The log's record of the event, in hexadecimal."""
    return hashlib.sha256(HASH_DOMAIN + salt + text).hexdigest()


def canonical(evidence: JsonValue) -> bytes:
    """RFC 8785 for evidence: without floats, and with names in ASCII, sorting is all that it requires."""
    return orjson.dumps(evidence, option=orjson.OPT_SORT_KEYS)


def timestamp(instant: datetime) -> str:
    """RFC 3339 in UTC with milliseconds, as in evidence and responses."""
    return instant.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def duration(length: timedelta) -> str:
    """ISO 8601, in days if they are whole."""
    seconds = int(length.total_seconds())
    return f"P{seconds // 86400}D" if seconds % 86400 == 0 else f"PT{seconds}S"


def commitment(key: str, address: EmailAddress) -> str:
    """Binds evidence to an address without holding it: once the subscriber's own key is erased, it reveals nothing."""
    return hmac.digest(bytes.fromhex(key), address.canonical.encode(), "sha256").hex()
