"""Erasure (GDPR Art. 17): deletes the person, with address, letters and evidence; a tombstone stays.

A suppression also stays, as a keyed digest, if the person objected: a person who complained or said "this was not me"
must not be written to again just because nothing else is known of them (Art. 21(3)).
A leaving stays the same way (`subscriptions.leavings`); whoever erases themselves leaves what they are subscribed to.
So do the reports of mail systems of the last 30 days, under the same digest, so that a repeated report is not counted
twice.

Lock order: `database.locks`.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ColumnElement, delete, select
from sqlalchemy.orm import Session

from app import clock, suppressions
from app.abuse.recipient_limit import RecipientLimit
from app.consent import Act, Actor
from app.outbox import Letter
from app.privacy import tombstones
from app.privacy.tombstones import ErasedSubscription, ErasureReason
from app.subscriptions import lapsed_requests, leavings, subscriber, transitions
from app.subscriptions.address_change import changes
from app.subscriptions.lapsed_requests import LapsedRequest
from app.subscriptions.model import Status, Subscriber, Subscription
from app.subscriptions.withdrawal import LEAVABLE


@dataclass(frozen=True, slots=True)
class ErasedAddress:
    """The identifiers of an address, whether or not it has a subscriber."""

    canonical: str
    digest: str
    mailbox_digest: str


def erase(session: Session, who: ErasedAddress | UUID, act: Act) -> None:
    """Erase a person, by address or by id. Idempotent.

    Also erases earlier requests from the same address that were never confirmed, as long as their lapsed request is
    kept: together with their subscriber, unless that subscriber has changed to another address since.
    """
    digest = _digest(session, who)
    _delete_recipient_limits(session, digest, _mailbox_digest(session, who))
    for identity in _identities(session, who, digest):
        _erase(session, identity, act)
    if digest is not None:
        erase_lapsed_requests(session, LapsedRequest.digest == digest, ErasureReason.REQUEST, act)
        changes.forget_address(session, digest)


def erase_within(session: Session, who: ErasedAddress | UUID, newsletters: Collection[str], act: Act) -> None:
    """Erase a person's data of those newsletters; the address stays as long as another needs it. Idempotent."""
    digest = _digest(session, who)
    identities = _identities(session, who, digest)
    found = session.scalars(
        select(Subscription)
        .where(Subscription.subscriber_id.in_(identities), Subscription.newsletter.in_(newsletters))
        .order_by(Subscription.newsletter)
        .with_for_update()
    ).all()
    erase_subscriptions(session, found, ErasureReason.REQUEST, act)
    theirs: ColumnElement[bool] = LapsedRequest.subscriber_id.in_(identities)
    if digest is not None:
        theirs |= LapsedRequest.digest == digest
    erase_lapsed_requests(session, theirs & LapsedRequest.newsletter.in_(newsletters), ErasureReason.REQUEST, act)


def erase_subscriptions(
    session: Session, subscriptions: Sequence[Subscription], reason: ErasureReason, act: Act
) -> None:
    """Erase locked subscriptions and their evidence; with a person's last subscription, also the address."""
    graves = [ErasedSubscription(each.subscriber_id, each.id, each.newsletter) for each in subscriptions]
    for subscription in subscriptions:
        _keep_objection(session, subscription, act)
    transitions.forget(session, subscriptions)
    tombstones.bury(session, graves, reason, act)


def erase_lapsed_requests(session: Session, which: ColumnElement[bool], reason: ErasureReason, act: Act) -> int:
    """Erase lapsed requests and their evidence. Returns the number of requests."""
    gone = session.execute(
        delete(LapsedRequest)
        .where(which)
        .returning(LapsedRequest.subscriber_id, LapsedRequest.subscription_id, LapsedRequest.newsletter)
    ).all()
    tombstones.bury(session, [ErasedSubscription(*stub) for stub in gone], reason, act)
    return len(gone)


def _digest(session: Session, who: ErasedAddress | UUID) -> str | None:
    if isinstance(who, ErasedAddress):
        return who.digest
    present = session.scalars(select(Subscriber.digest).where(Subscriber.id == who)).first()
    # The subscriber's present digest first: a lapsed request may be about a former address.
    known = select(LapsedRequest.digest).where(LapsedRequest.subscriber_id == who, LapsedRequest.digest.is_not(None))
    return present or session.scalars(known).first()


def _mailbox_digest(session: Session, who: ErasedAddress | UUID) -> str | None:
    if isinstance(who, ErasedAddress):
        return who.mailbox_digest
    return session.scalars(select(Subscriber.mailbox_digest).where(Subscriber.id == who)).first()


def _delete_recipient_limits(session: Session, *digests: str | None) -> None:
    for digest in sorted(filter(None, digests)):
        session.execute(delete(RecipientLimit).where(RecipientLimit.digest == digest))


def _identities(session: Session, who: ErasedAddress | UUID, digest: str | None) -> list[UUID]:
    if isinstance(who, UUID):
        found = {who}
    else:
        found = set(session.scalars(select(Subscriber.id).where(Subscriber.canonical == who.canonical)))
    # Read after the subscriber, so a request that lapses in between is seen in one of the two.
    if digest is not None:
        found.update(session.scalars(lapsed_requests.earlier(digest)))
    return sorted(found)


def _erase(session: Session, subscriber_id: UUID, act: Act) -> None:
    found = session.scalars(
        select(Subscription)
        .where(Subscription.subscriber_id == subscriber_id)
        .order_by(Subscription.newsletter)
        .with_for_update()
    ).all()
    # From here on no request can add rows for the person: its foreign keys wait for this lock, and then fail.
    session.execute(select(Subscriber.id).where(Subscriber.id == subscriber_id).with_for_update())
    for subscription in found:
        _keep_objection(session, subscription, act)
    for rows in (Subscription, Letter, LapsedRequest):
        session.execute(delete(rows).where(rows.subscriber_id == subscriber_id))
    session.execute(delete(Subscriber).where(Subscriber.id == subscriber_id))
    tombstones.bury_person(session, subscriber_id, act)


def _keep_objection(session: Session, subscription: Subscription, act: Act) -> None:
    """Once the row is erased, only this records a complaint, which is permanent, or a leaving."""
    now = clock.now()
    has_complained = subscription.ended_as == Status.COMPLAINED
    has_left = leavings.has_left(subscription)
    leaves = act.actor == Actor.MAILBOX_HOLDER and subscription.status in LEAVABLE
    if not (has_complained or has_left or leaves):
        return
    known_by = session.execute(subscriber.known_by(subscription.subscriber_id)).one()
    if has_complained:
        suppressions.note_complaint(session, known_by, since=subscription.ended_at or now)
    if has_left or leaves:
        left_at = subscription.ended_at if has_left else now
        leavings.keep(session, subscription, known_by.digest, left_at or now)
