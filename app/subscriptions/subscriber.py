"""A person as shown through their own links: the address, the language, and each subscription.

Lock order: `database.locks`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, Select, select, update
from sqlalchemy.orm import Session

from app import clock, consent
from app.abuse import recipient_limit
from app.addresses import EmailAddress
from app.consent import Act, EventType
from app.subscriptions import transitions
from app.subscriptions.model import Status, Subscriber, Subscription


@dataclass(frozen=True, slots=True)
class Held:
    """A subscription, ended ones included."""

    subscription_id: UUID
    newsletter: str
    status: Status
    since: datetime
    expires_at: datetime | None
    """Until when it can be confirmed, if pending."""


@dataclass(frozen=True, slots=True)
class Person:
    id: UUID
    address: EmailAddress
    digest: str
    language: str
    held: tuple[Held, ...]
    """By newsletter; at least one."""

    def those(self, status: Status) -> list[Held]:
        return [each for each in self.held if each.status == status]

    def status_of(self, newsletter: str) -> Status | None:
        return next((each.status for each in self.held if each.newsletter == newsletter), None)


def find(connection: Connection, subscriber_id: UUID) -> Person | None:
    """None if the person has been erased."""
    found = connection.execute(
        select(
            Subscriber.address,
            Subscriber.canonical,
            Subscriber.digest,
            Subscriber.language,
            Subscription.id,
            Subscription.newsletter,
            Subscription.status,
            Subscription.since,
            Subscription.expires_at,
        )
        .join(Subscription, Subscription.subscriber_id == Subscriber.id)
        .where(Subscriber.id == subscriber_id)
        .order_by(Subscription.newsletter)
    ).all()
    if not found:
        return None
    first = found[0]
    held = [Held(row.id, row.newsletter, Status(row.status), row.since, row.expires_at) for row in found]
    return Person(
        subscriber_id, EmailAddress(first.address, first.canonical), first.digest, first.language, tuple(held)
    )


def known_by(subscriber_id: UUID) -> Select[str, str | None]:
    """The digests under which an objection of theirs is kept (`suppressions.note_complaint`)."""
    return select(Subscriber.digest, Subscriber.mailbox_digest).where(Subscriber.id == subscriber_id)


def hold(session: Session, subscriber_id: UUID) -> None:
    """Lock the person's recipient limits and subscriptions until the transaction ends. Nothing for who is unknown."""
    if known := session.execute(known_by(subscriber_id)).first():
        recipient_limit.hold(session, filter(None, known), clock.now())
        _hold_subscriptions(session, subscriber_id)


def speak(session: Session, subscriber_id: UUID, language: str, act: Act) -> None:
    """Set the language of mails and pages (GDPR Art. 16). Idempotent; a change is recorded, for who keeps a copy."""
    theirs = _hold_subscriptions(session, subscriber_id)
    changed = (
        update(Subscriber)
        .where(Subscriber.id == subscriber_id, Subscriber.language != language)
        .values(language=language)
        .returning(Subscriber.id)
    )
    if session.scalars(changed).first() is None:
        return
    details = {**act.details, "changed": "language", "language": language}
    tell_change(session, theirs, Act(act.actor, details))


def tell_change(session: Session, subscriptions: Sequence[Subscription], act: Act) -> None:
    """Record that something about their holder is new, in `act`. Not idempotent. They are locked."""
    steps = [(transitions.step(EventType.CHANGED, each, clock.now()), act) for each in subscriptions]
    consent.record_all(session, steps)


def _hold_subscriptions(session: Session, subscriber_id: UUID) -> Sequence[Subscription]:
    theirs = select(Subscription).where(Subscription.subscriber_id == subscriber_id)
    return session.scalars(theirs.order_by(Subscription.newsletter).with_for_update()).all()
