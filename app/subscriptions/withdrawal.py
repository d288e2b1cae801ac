"""Withdrawal: unsubscribing, at once and for good, with as little asked as possible (GDPR Art. 7(3), RFC 8058).

An unsubscribe link never expires. A genuine link is answered alike in any state, and only the first press ends
anything. But every press, even one that finds nothing to end, voids the undo of an earlier one, for everything that it
would bring back.

Undo reverts an accidental unsubscribe, on the page that answered the press, for half an hour. Mails get forwarded, and
so do their unsubscribe links: the link alone never resubscribes. The person who pressed holds one token for all that
this press ended. It names a random value that is kept with each of those subscriptions until anything happens to it: an
undo, another ending, a new request, or an unsubscribe press that finds nothing left to end. Invariant: a resubscribed
person is told by mail. If no mail may go, nobody is resubscribed.

Lock order: `database.locks`.
"""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from enum import StrEnum
from uuid import UUID, uuid4, uuid5

from sqlalchemy import ColumnElement, Connection, select
from sqlalchemy.orm import Session

from app import clock, suppressions
from app.addresses import EmailAddress
from app.consent import Act
from app.newsletters.definitions import Catalogue
from app.outbox import LetterKind
from app.subscriptions import leaving_letters, renewal, transitions
from app.subscriptions.model import Status, Subscriber, Subscription
from app.subscriptions.renewal import Renewal

LEAVABLE = (Status.PENDING, Status.CONFIRMED)
UNDO_WITHIN = timedelta(minutes=30)
UNDO_METHOD = "undo"
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
    """Leave one newsletter. Idempotent. Returns the id that an undo must name; None if nothing confirmed was left."""
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


def undo_subject(subscriber_id: UUID, undo_id: UUID) -> UUID:
    """The id in the token: the undo id bound to this person. Copied to another person's row it leads nowhere."""
    return uuid5(undo_id, str(subscriber_id))


def undo(session: Session, subscriber_id: UUID, named: UUID, act: Act) -> list[str]:
    """Confirm again what the named press ended, if nothing has happened to it since. It works once.

    Returns the restored newsletters: none if the daily limit of notices is used up, or the person may not be mailed.
    """
    now = clock.now()
    unmailable = suppressions.forbids_mail(Subscriber.digest, now)
    ended = Subscription.undo_id.is_not(None) & (Subscription.status == Status.UNSUBSCRIBED)
    theirs = session.scalars(
        select(Subscription)
        .join(Subscriber, Subscription.subscriber_id == Subscriber.id)
        .where(ended, Subscription.subscriber_id == subscriber_id, ~unmailable)
        .order_by(Subscription.newsletter)
        .with_for_update(of=Subscription)
    ).all()
    found = [each for each in theirs if each.undo_id and undo_subject(subscriber_id, each.undo_id) == named]
    if not found or not leaving_letters.owe(session, LetterKind.RESUBSCRIBED, found, spare=[LetterKind.UNSUBSCRIBED]):
        return []
    for subscription in found:
        renewal.renew(session, subscription, Renewal(asked=act, asked_at=now, confirmed=act))
    return [each.newsletter for each in found]


def void_undo(held: Iterable[Subscription], left: Iterable[Subscription]) -> None:
    """Void the undo of the subscriptions in `left`, and of all that ended by the same press.

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
            transitions.end(session, subscription, Status.UNSUBSCRIBED, act)
    undo_id = uuid4() if left else None
    for subscription in left:
        subscription.undo_id = undo_id
    transitions.acknowledge(session, left, catalogue)
    return undo_id
