"""Undoing: the way back from leaving by mistake, on the very page that answered, and for half an hour.

Mails get forwarded, and so do the links to leave: the link alone never leads back. Whoever pressed holds one token for
all that this very press ended. It names a random value that is kept with each of those subscriptions until anything
happens to it: an undo, another ending, a new request, or a press to leave that finds nothing left to end.

Invariant: whoever is brought back is told by mail. Where no mail may go, nobody is brought back.
"""

from datetime import timedelta
from uuid import UUID, uuid5

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import clock, suppressions
from app.consent import Act
from app.outbox import Kind
from app.subscriptions import leaving_letters, renewal
from app.subscriptions.model import Status, Subscriber, Subscription
from app.subscriptions.renewal import Renewal

GOOD_FOR = timedelta(minutes=30)
METHOD = "undo"
"""As evidence has it."""


def subject(subscriber_id: UUID, undo_id: UUID) -> UUID:
    """What the token names: that value as this person's. Copied to somebody else's row it leads nowhere."""
    return uuid5(undo_id, str(subscriber_id))


def undo(session: Session, subscriber_id: UUID, named: UUID, act: Act) -> list[str]:
    """Confirm again what the press ended that the token names, as far as nothing came since. It works once.

    Returns the newsletters that it brought back. None where the person had their share of notices today, or nothing
    may be mailed to them.
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
    found = [each for each in theirs if each.undo_id and subject(subscriber_id, each.undo_id) == named]
    if not found or not leaving_letters.owe(session, Kind.RESUBSCRIBED, found, spare=[Kind.UNSUBSCRIBED]):
        return []
    for subscription in found:
        renewal.renew(session, subscription, Renewal(asked=act, asked_at=now, confirmed=act))
    return [each.newsletter for each in found]
