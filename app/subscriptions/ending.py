"""How subscriptions end: by withdrawal, by feedback of the mail system, or by never being confirmed.

Invariant: whatever ends turns the nonce, so that no confirmation link sent before can bring it back.
"""

import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from sqlalchemy import delete, exists, select
from sqlalchemy.orm import Session

from app import clock, consent, outbox
from app.consent import Act, Actor, EventType
from app.newsletters.terms import Catalogue, Newsletter
from app.subscriptions import leaving_letters, steps, stubs
from app.subscriptions.model import Status, Subscriber, Subscription

Ended = Literal[Status.UNSUBSCRIBED, Status.BOUNCED, Status.COMPLAINED]

_EVENTS = {
    Status.UNSUBSCRIBED: EventType.UNSUBSCRIBED,
    Status.BOUNCED: EventType.BOUNCED,
    Status.COMPLAINED: EventType.COMPLAINED,
}


def end(session: Session, subscription: Subscription, status: Ended, act: Act) -> None:
    """Move a pending or confirmed subscription to an ended status. The act names its `method`, maybe a `reason`."""
    now = clock.now()
    subscription.status = subscription.ended_as = status
    subscription.since = subscription.ended_at = now
    subscription.reason = str(act.details.get("reason") or act.details["method"])
    subscription.expires_at = None
    subscription.nonce = secrets.token_hex(8)
    subscription.undo_id = None
    subscription.version += 1
    _record(session, subscription, _EVENTS[status], act)


def acknowledge(session: Session, left: Sequence[Subscription], catalogue: Catalogue) -> None:
    """Owe one person one mail that says what they left, as far as the newsletters send one; a few a day at most.

    Belgium asks for it (Royal Decree of 4 April 2003, art. 2). The subscriptions are locked.
    """
    named = [each for each in left if catalogue.newsletters[each.newsletter].acknowledge_unsubscribe]
    if named:
        leaving_letters.owe(session, outbox.Kind.UNSUBSCRIBED, named)


def is_unconfirmed(subscription: Subscription) -> bool:
    """Pending, and never confirmed before: there is no consent whose proof would have to be kept."""
    never_ended = subscription.ended_as is None or subscription.lapses_at is not None
    return subscription.status == Status.PENDING and never_ended


def give_up(session: Session, subscription: Subscription, act: Act) -> None:
    """Let a pending subscription, which is locked, lapse. The act names its `method`."""
    _record(session, subscription, EventType.EXPIRED, act)
    lapse(session, subscription)


def lapse(session: Session, subscription: Subscription) -> None:
    """Undo a request that was not confirmed: back to how it ended before, else erased together with the address.

    What stays of an erased one is a stub.
    """
    if subscription.ended_as is not None and subscription.ended_at is not None and subscription.lapses_at is None:
        subscription.status = subscription.ended_as
        subscription.since = subscription.ended_at
        subscription.expires_at = None
        subscription.nonce = secrets.token_hex(8)
        subscription.version += 1
        return
    stubs.leave(session, subscription, clock.now())
    forget(session, [subscription])


def forget(session: Session, subscriptions: Sequence[Subscription]) -> None:
    """Erase subscriptions that are locked, and with the last one of a person their address and letters."""
    theirs = Subscriber.id.in_({each.subscriber_id for each in subscriptions})
    # Of two that end at once each would take the other for a reason to keep the address. A request that comes between
    # holds the subscriber by its foreign keys: the lock waits for it, so that what it adds is seen and not erased.
    session.execute(select(Subscriber.id).where(theirs).order_by(Subscriber.id).with_for_update())
    session.execute(delete(Subscription).where(Subscription.id.in_([each.id for each in subscriptions])))
    others = exists().where(Subscription.subscriber_id == Subscriber.id)
    session.execute(delete(Subscriber).where(theirs, ~others))


def expire(session: Session, newsletter: Newsletter, now: datetime, *, at_most: int) -> int:
    """Let requests lapse whose link stopped working `purge_pending_after` ago (GDPR Art. 5(1)(e)). Returns how many."""
    due = session.scalars(
        select(Subscription)
        .where(
            Subscription.newsletter == newsletter.slug,
            Subscription.status == Status.PENDING,
            Subscription.expires_at <= now - newsletter.purge_pending_after,
        )
        .order_by(Subscription.expires_at)
        .limit(at_most)
        .with_for_update(skip_locked=True)
    ).all()
    # All who take several subscribers take them in this order, and so never wait for each other.
    for subscription in sorted(due, key=lambda each: each.subscriber_id):
        give_up(session, subscription, Act(Actor.SERVICE, {"method": "not confirmed in time"}))
    return len(due)


def erase_unconfirmed(session: Session, now: datetime, *, at_most: int) -> int:
    """Let lapse what a mail system's word ended before it was ever confirmed. Returns how many.

    Until then other services see why nothing came of it; a new request goes on with it.
    """
    due = session.scalars(
        select(Subscription)
        .where(Subscription.lapses_at <= now, Subscription.status != Status.PENDING)
        .order_by(Subscription.lapses_at)
        .limit(at_most)
        .with_for_update(skip_locked=True)
    ).all()
    # All who take several subscribers take them in this order, and so never wait for each other.
    for subscription in sorted(due, key=lambda each: each.subscriber_id):
        lapse(session, subscription)
    return len(due)


def _record(session: Session, subscription: Subscription, type: EventType, act: Act) -> None:
    consent.record(session, steps.step(type, subscription, clock.now()), act)
