"""Withdrawal: leaving, at once and for good, with as little asked as possible (GDPR Art. 7(3), RFC 8058).

A link to leave never expires. Whatever the state, a genuine link is answered alike, and only the first press ends
anything. But every press, also one that finds nothing to end, is the last word: an undo of an earlier one is void,
for all that it would bring back.
"""

from collections.abc import Iterable, Sequence
from enum import StrEnum
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, Connection, select
from sqlalchemy.orm import Session

from app.addresses import EmailAddress
from app.consent import Act
from app.newsletters.definitions import Catalogue
from app.subscriptions import ending
from app.subscriptions.model import Status, Subscriber, Subscription

LEAVABLE = (Status.PENDING, Status.CONFIRMED)


class LeavingReason(StrEnum):
    """What people may say about why they leave, and need not."""

    TOO_MANY = "too_many"
    NOT_INTERESTED = "not_interested"
    NOT_EXPECTED = "not_expected"
    NEVER_ASKED = "never_asked"
    OTHER = "other"


def find_newsletter(connection: Connection | Session, subscription_id: UUID) -> tuple[UUID, str] | None:
    """Subscriber and newsletter of a subscription; None where it has been erased."""
    found = connection.execute(
        select(Subscription.subscriber_id, Subscription.newsletter).where(Subscription.id == subscription_id)
    ).first()
    return None if found is None else (found.subscriber_id, found.newsletter)


def leave(session: Session, subscription_id: UUID, *, catalogue: Catalogue, act: Act) -> UUID | None:
    """Leave one newsletter. Idempotent. Returns what an undo has to name; None where nothing confirmed was left."""
    return _leave(session, Subscription.id == subscription_id, catalogue, act)


def leave_all_of(session: Session, subscription_id: UUID, *, catalogue: Catalogue, act: Act) -> UUID | None:
    """Leave every newsletter of the person whose subscription it is, as `leave`: one undo stands for all of them."""
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
    """Leave those of the person's newsletters. Idempotent."""
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
    """Leave those newsletters on somebody's behalf. Idempotent; an unknown address is nothing to do."""
    who = select(Subscriber.id).where(Subscriber.canonical == address.canonical).scalar_subquery()
    theirs = (Subscription.subscriber_id == who) & Subscription.newsletter.in_(newsletters)
    _leave(session, theirs, catalogue, act)


def leave_all(session: Session, subscriber_id: UUID, *, catalogue: Catalogue, act: Act) -> None:
    """Leave every newsletter of the controller. Idempotent."""
    _leave(session, Subscription.subscriber_id == subscriber_id, catalogue, act)


def void_undo(held: Iterable[Subscription], left: Iterable[Subscription]) -> None:
    """Whatever ended those that are left, nothing undoes it any more, nor what ended with them by the same press.

    `held` are all of the person's subscriptions, locked. Idempotent.
    """
    void = {each.undo_id for each in left}
    for subscription in held:
        if subscription.undo_id in void:
            subscription.undo_id = None


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
    void_undo(held, found)
    left = [each for each in found if each.status == Status.CONFIRMED]
    for subscription in found:
        if subscription.status in LEAVABLE:
            ending.end(session, subscription, Status.UNSUBSCRIBED, act)
    undo_id = uuid4() if left else None
    for subscription in left:
        subscription.undo_id = undo_id
    ending.acknowledge(session, left, catalogue)
    return undo_id
