"""Transitions of a subscription: what each one writes to the row, and the consent event that names it.

A subscription is confirmed, or it ends by withdrawal, by mail feedback, or by lapsing unconfirmed. Invariant: every
ending replaces the nonce, so that no confirmation link sent before can bring the subscription back.
Lock order: `database.locks`.
"""

import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Literal
from uuid import UUID

from sqlalchemy import ColumnElement, bindparam, delete, exists, select, update
from sqlalchemy.orm import InstrumentedAttribute, Session

from app import clock, consent, outbox
from app.consent import Act, Actor, EventType, Step
from app.database import AnyRow
from app.newsletters.definitions import Catalogue, Newsletter
from app.subscriptions import lapsed_requests, leaving_letters
from app.subscriptions.model import Status, Subscriber, Subscription

NOT_IN_TIME = Act(Actor.SERVICE, {"method": "not confirmed in time"})
DECLINED = "declined"
"""The reason of a request that was declined."""
Ended = Literal[Status.UNSUBSCRIBED, Status.BOUNCED, Status.COMPLAINED]

_EVENTS = {
    Status.UNSUBSCRIBED: EventType.UNSUBSCRIBED,
    Status.BOUNCED: EventType.BOUNCED,
    Status.COMPLAINED: EventType.COMPLAINED,
}


def step(type: EventType, subscription: Subscription, occurred_at: datetime) -> Step:
    return Step(type, subscription.subscriber_id, subscription.id, subscription.newsletter, occurred_at)


def become_confirmed(subscription: Subscription, now: datetime) -> None:
    """From any status; clears the earlier ending from the row."""
    subscription.status = Status.CONFIRMED
    subscription.since = now
    subscription.expires_at = subscription.lapses_at = None
    subscription.ended_as = subscription.ended_at = subscription.reason = None
    subscription.undo_id = subscription.undo_expires_at = None
    subscription.version += 1


def end(session: Session, subscription: Subscription, status: Ended, act: Act) -> None:
    """Move a pending or confirmed subscription to an ended status. `act` names its `method`, maybe a `reason`."""
    now = clock.now()
    subscription.status = subscription.ended_as = status
    subscription.since = subscription.ended_at = now
    subscription.reason = str(act.details.get("reason") or act.details["method"])
    _close(subscription)
    _record(session, subscription, _EVENTS[status], act)


def set_aside(subscription: Subscription, undo_id: UUID, now: datetime, until: datetime) -> None:
    """Decline a pending subscription so that an undo can restore it: it is erased only after `until`.

    One that was confirmed before and ended returns to that ending, as in `lapse`.
    """
    expires_at = subscription.expires_at
    if _has_ended_before(subscription):
        _restore_ending(subscription)
    else:
        subscription.status = subscription.ended_as = Status.UNSUBSCRIBED
        subscription.since = subscription.ended_at = now
        subscription.reason = DECLINED
        subscription.lapses_at = until
        _close(subscription)
    subscription.undo_id, subscription.undo_expires_at = undo_id, expires_at


def reopen(subscription: Subscription, nonce: str, now: datetime) -> None:
    """Undo `set_aside`: pending again until it would have expired, by the nonce of the letters sent before."""
    if subscription.lapses_at is not None:
        subscription.ended_as = subscription.ended_at = subscription.reason = subscription.lapses_at = None
    subscription.status = Status.PENDING
    subscription.since = now
    subscription.expires_at = subscription.undo_expires_at
    subscription.nonce = nonce
    subscription.undo_id = subscription.undo_expires_at = None
    subscription.version += 1


def acknowledge(session: Session, left: Sequence[Subscription], catalogue: Catalogue) -> None:
    """Owe one person one mail that names what they left, for newsletters that send one; a few a day at most.

    Belgium requires it (Royal Decree of 4 April 2003, art. 2). The subscriptions are locked.
    """
    named = [each for each in left if catalogue.newsletters[each.newsletter].acknowledge_unsubscribe]
    if named:
        leaving_letters.owe(session, outbox.LetterKind.UNSUBSCRIBED, named)


def is_requested(subscription: Subscription) -> bool:
    """Pending, or declined and not erased yet."""
    return subscription.status == Status.PENDING or subscription.undo_expires_at is not None


def is_unconfirmed(subscription: Subscription) -> bool:
    """Requested, and never confirmed before: there is no consent whose proof must be kept."""
    never_ended = subscription.ended_as is None or subscription.lapses_at is not None
    return is_requested(subscription) and never_ended


def give_up(session: Session, subscription: Subscription, act: Act) -> None:
    """Let a pending or declined subscription, which is locked, lapse. `act` names its `method`."""
    if subscription.status == Status.PENDING:
        _record(session, subscription, EventType.EXPIRED, act)
    lapse(session, subscription)


def lapse(session: Session, subscription: Subscription) -> None:
    """Undo an unconfirmed request: restore the earlier ending, else erase it together with the address.

    An erased one leaves a lapsed request.
    """
    if _has_ended_before(subscription):
        _restore_ending(subscription)
        return
    lapsed_requests.leave(session, [subscription], clock.now())
    forget(session, [subscription])


def _restore_ending(subscription: Subscription) -> None:
    assert subscription.ended_as is not None
    assert subscription.ended_at is not None
    subscription.status = subscription.ended_as
    subscription.since = subscription.ended_at
    _close(subscription)


def _close(subscription: Subscription) -> None:
    """What every ending does: no link or undo from before leads back."""
    subscription.expires_at = None
    subscription.nonce = secrets.token_hex(8)
    subscription.undo_id = subscription.undo_expires_at = None
    subscription.version += 1


def forget(session: Session, subscriptions: Sequence[Subscription | AnyRow]) -> None:
    """Erase subscriptions, which are locked, and with the last one of a person their address and letters."""
    theirs = Subscriber.id.in_({each.subscriber_id for each in subscriptions})
    # Of two that end at once, each would see the other as a reason to keep the address. A concurrent request locks
    # the subscriber by its foreign keys: this lock waits for it, so that its rows are seen and not erased.
    session.execute(select(Subscriber.id).where(theirs).order_by(Subscriber.id).with_for_update())
    session.execute(delete(Subscription).where(Subscription.id.in_([each.id for each in subscriptions])))
    others = exists().where(Subscription.subscriber_id == Subscriber.id)
    session.execute(delete(Subscriber).where(theirs, ~others))


def expire(session: Session, newsletter: Newsletter, now: datetime, *, at_most: int) -> int:
    """Let requests lapse whose link expired `purge_pending_after` ago (GDPR Art. 5(1)(e)). Returns how many."""
    theirs = (Subscription.newsletter == newsletter.slug) & (Subscription.status == Status.PENDING)
    over = Subscription.expires_at <= now - newsletter.purge_pending_after
    due = _longest_due(session, theirs & over, Subscription.expires_at, at_most)
    happened = clock.now()
    consent.record_all(session, [(_expired(each, happened), NOT_IN_TIME) for each in due])
    _lapse_all(session, due)
    return len(due)


def erase_unconfirmed(session: Session, now: datetime, *, at_most: int) -> int:
    """Let subscriptions lapse that mail feedback ended before they were ever confirmed. Returns how many.

    Until then other services see the reason, and a new request continues with the row.
    """
    return _erase_ended(session, Subscription.undo_expires_at.is_(None), now, at_most)


def erase_declined(session: Session, now: datetime, *, at_most: int) -> int:
    """Let declined requests lapse whose undo is over. Returns how many."""
    return _erase_ended(session, Subscription.undo_expires_at.is_not(None), now, at_most)


def _erase_ended(session: Session, which: ColumnElement[bool], now: datetime, at_most: int) -> int:
    ended = (Subscription.lapses_at <= now) & (Subscription.status != Status.PENDING)
    due = _longest_due(session, ended & which, Subscription.lapses_at, at_most)
    _lapse_all(session, due)
    return len(due)


def _longest_due(
    session: Session,
    which: ColumnElement[bool],
    since: InstrumentedAttribute[datetime | None],
    at_most: int,
) -> Sequence[AnyRow]:
    """Locked, skipping locked rows; sorted by subscriber, the order of all row locks, to avoid deadlocks."""
    due = session.execute(
        select(*_DUE_COLUMNS).where(which).order_by(since).limit(at_most).with_for_update(skip_locked=True)
    ).all()
    return sorted(due, key=lambda each: each.subscriber_id)


def _lapse_all(session: Session, due: Sequence[AnyRow]) -> None:
    """As `lapse`, with a number of statements that does not depend on the number of rows."""
    back = [{"which": each.id, "fresh": secrets.token_hex(8)} for each in due if _has_ended_before(each)]
    if back:
        session.connection().execute(_RESTORE, back)
    if gone := [each for each in due if not _has_ended_before(each)]:
        lapsed_requests.leave(session, gone, clock.now())
        forget(session, gone)


def _has_ended_before(subscription: Subscription | AnyRow) -> bool:
    """Whether it ended after it was confirmed: the row records a consent given and withdrawn."""
    has_ended = subscription.ended_as is not None and subscription.ended_at is not None
    return has_ended and subscription.lapses_at is None


def _expired(subscription: AnyRow, happened: datetime) -> Step:
    return Step(EventType.EXPIRED, subscription.subscriber_id, subscription.id, subscription.newsletter, happened)


def _record(session: Session, subscription: Subscription, type: EventType, act: Act) -> None:
    consent.record(session, step(type, subscription, clock.now()), act)


_DUE_COLUMNS = (
    Subscription.id,
    Subscription.subscriber_id,
    Subscription.newsletter,
    Subscription.letter_id,
    Subscription.ended_as,
    Subscription.ended_at,
    Subscription.lapses_at,
)
_RESTORE = (
    update(Subscription.__table__)  # type: ignore[arg-type]
    .where(Subscription.id == bindparam("which"))
    .values(
        status=Subscription.ended_as,
        since=Subscription.ended_at,
        expires_at=None,
        undo_id=None,
        undo_expires_at=None,
        nonce=bindparam("fresh"),
        version=Subscription.version + 1,
    )
)
