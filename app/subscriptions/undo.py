"""Undo: the page that answers a press to leave or to decline can take it back, once, for half an hour.

Mails get forwarded, and so do their links: a link alone never brings anybody back. Whoever pressed holds one token for
all that this press ended. It names a random value that is kept with each of those subscriptions until anything happens
to it: an undo, another ending, a new request, or a press to leave or to decline that finds nothing left to end. What
was confirmed is confirmed again, what was pending is pending again. Invariant: a resubscribed person is told by mail.
If that mail may not go, nothing of the press is undone.

Lock order: `database.locks`.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID, uuid5

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import clock, suppressions
from app.consent import Act, ConsentEvent, EventType
from app.outbox import Letter, LetterKind
from app.subscriptions import leaving_letters, renewal, subscriber, transitions
from app.subscriptions.model import HAS_ENDED, Status, Subscriber, Subscription
from app.subscriptions.renewal import Renewal

UNDO_WITHIN = timedelta(minutes=30)
UNDO_METHOD = "undo"
"""The `method` in evidence."""


def subject(subscriber_id: UUID, undo_id: UUID) -> UUID:
    """The id in the token: the undo id bound to this person. Copied to another person's row it leads nowhere."""
    return uuid5(undo_id, str(subscriber_id))


def restore(session: Session, subscriber_id: UUID, named: UUID, act: Act) -> Mapping[str, Status]:
    """Restore what the named press ended, if nothing has happened to it since. It works once.

    Returns the restored newsletters, each with its status: none if it ended something confirmed, and the daily limit
    of notices is used up or the person may not be mailed.
    """
    now = clock.now()
    theirs = session.scalars(
        select(Subscription)
        .where(Subscription.undo_id.is_not(None), HAS_ENDED, Subscription.subscriber_id == subscriber_id)
        .order_by(Subscription.newsletter)
        .with_for_update()
    ).all()
    found = [each for each in theirs if each.undo_id and subject(subscriber_id, each.undo_id) == named]
    left = [each for each in found if each.undo_expires_at is None]
    if not found or (left and not _tell(session, left, now)):
        return {}
    if len(left) < len(found):
        _lift_objection(session, found[0])
    for subscription in found:
        if subscription in left:
            renewal.renew(session, subscription, Renewal(asked=act, asked_at=now, confirmed=act))
        else:
            _reopen(session, subscription, act, now)
    return {each.newsletter: Status(each.status) for each in found}


def void(held: Iterable[Subscription], left: Iterable[Subscription]) -> None:
    """Void the undo of the subscriptions in `left`, and of all that ended by the same press.

    `held` are all of the person's subscriptions, locked. Idempotent.
    """
    named = {each.undo_id for each in left}
    for subscription in held:
        if subscription.undo_id in named:
            subscription.undo_id = None


def _tell(session: Session, left: Sequence[Subscription], now: datetime) -> bool:
    """Owe the person the notice that they are subscribed again; False if none may go."""
    whose = select(suppressions.forbids_mail(Subscriber.digest, now)).where(Subscriber.id == left[0].subscriber_id)
    if session.scalar(whose):
        return False
    return leaving_letters.owe(session, LetterKind.RESUBSCRIBED, left, spare=[LetterKind.UNSUBSCRIBED])


def _lift_objection(session: Session, pressed: Subscription) -> None:
    """That a request was declined is kept as a suppression too; to leave something confirmed adds none."""
    assert pressed.undo_id is not None
    known_by = session.execute(subscriber.known_by(pressed.subscriber_id)).one()
    suppressions.take_back(session, known_by, pressed.undo_id)


def _reopen(session: Session, subscription: Subscription, act: Act, now: datetime) -> None:
    """The request stands again. Its evidence names the decline that it takes back, for whoever audits the events."""
    letter = session.get_one(Letter, subscription.letter_id)
    transitions.reopen(subscription, letter.about[str(subscription.id)], now)
    declined = session.scalars(
        select(ConsentEvent.id)
        .where(ConsentEvent.subscription_id == subscription.id, ConsentEvent.type == EventType.DECLINED)
        .order_by(ConsentEvent.occurred_at.desc())
        .limit(1)
    ).one()
    renewal.ask_again(session, subscription, Act(act.actor, {**act.details, "undoes": str(declined)}), now)
