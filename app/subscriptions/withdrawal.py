"""Withdrawal: unsubscribing, at once and for good, with as little asked as possible (GDPR Art. 7(3), RFC 8058).

An unsubscribe link never expires. A genuine link is answered alike in any state, and only the first press ends
anything. But every press, even one that finds nothing to end, voids the undo of an earlier one, for everything that it
would bring back (`undo`).

Lock order: `database.locks`.
"""

from collections.abc import Sequence
from enum import StrEnum
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, Connection, select
from sqlalchemy.orm import Session

from app.addresses import EmailAddress
from app.consent import Act
from app.newsletters.definitions import Catalogue
from app.subscriptions import transitions, undo
from app.subscriptions.model import Status, Subscriber, Subscription

LEAVABLE = (Status.PENDING, Status.CONFIRMED)
ONE_CLICK = "one_click"
"""The `method` in evidence."""


class LeavingReason(StrEnum):
    """Reasons for unsubscribing; giving one is optional."""

    TOO_MANY = "too_many"
    NOT_INTERESTED = "not_interested"
    NOT_EXPECTED = "not_expected"
    NEVER_ASKED = "never_asked"
    OTHER = "other"


def find_newsletter(connection: Connection | Session, subscription_id: UUID) -> tuple[UUID, str] | None:
    """Subscriber and newsletter of a subscription; None if it has been erased."""
    found = connection.execute(
        select(Subscription.subscriber_id, Subscription.newsletter).where(Subscription.id == subscription_id)
    ).first()
    return None if found is None else (found.subscriber_id, found.newsletter)


def leave(session: Session, subscription_id: UUID, *, catalogue: Catalogue, act: Act) -> UUID | None:
    """Leave one newsletter. Idempotent. Returns what an undo must name; None if nothing confirmed was left."""
    return _leave(session, Subscription.id == subscription_id, catalogue, act)


def leave_all_of(session: Session, subscription_id: UUID, *, catalogue: Catalogue, act: Act) -> UUID | None:
    """Leave every newsletter of the subscription's owner, as `leave`: one undo covers all of them."""
    theirs = select(Subscription.subscriber_id).where(Subscription.id == subscription_id).scalar_subquery()
    return _leave(session, Subscription.subscriber_id == theirs, catalogue, act)


def leave_newsletters(
    session: Session,
    subscriber_id: UUID,
    newsletters: Sequence[str],
    *,
    catalogue: Catalogue,
    act: Act,
) -> None:
    """Leave these newsletters of the person. Idempotent."""
    theirs = (Subscription.subscriber_id == subscriber_id) & Subscription.newsletter.in_(newsletters)
    _leave(session, theirs, catalogue, act)


def leave_by_address(
    session: Session,
    address: EmailAddress,
    newsletters: Sequence[str],
    *,
    catalogue: Catalogue,
    act: Act,
) -> None:
    """Leave these newsletters on a person's behalf. Idempotent; does nothing for an unknown address."""
    who = select(Subscriber.id).where(Subscriber.canonical == address.canonical).scalar_subquery()
    theirs = (Subscription.subscriber_id == who) & Subscription.newsletter.in_(newsletters)
    _leave(session, theirs, catalogue, act)


def leave_all(session: Session, subscriber_id: UUID, *, catalogue: Catalogue, act: Act) -> None:
    """Leave every newsletter of the controller. Idempotent."""
    _leave(session, Subscription.subscriber_id == subscriber_id, catalogue, act)


def _leave(session: Session, which: ColumnElement[bool], catalogue: Catalogue, act: Act) -> UUID | None:
    whose = select(Subscription.subscriber_id).where(which)
    held = session.scalars(
        select(Subscription)
        .where(Subscription.subscriber_id.in_(whose))
        .order_by(Subscription.newsletter)
        .with_for_update()
    ).all()
    named = set(session.scalars(select(Subscription.id).where(which)))
    found = [each for each in held if each.id in named]
    undo.void(held, found)
    left = [each for each in found if each.status == Status.CONFIRMED]
    for subscription in found:
        if subscription.status in LEAVABLE:
            transitions.end(session, subscription, Status.UNSUBSCRIBED, act)
    undo_id = uuid4()
    for subscription in left:
        subscription.undo_id = undo_id
    transitions.acknowledge(session, left, catalogue)
    return undo.subject(left[0].subscriber_id, undo_id) if left else None
