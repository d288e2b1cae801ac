"""Undoing: the way back from leaving by mistake, on the very page that answered, and for half an hour.

Mails get forwarded, and so do the links to leave: the link alone never leads back. Whoever pressed holds one token for
all that this very press ended. It names a random value that is kept with each of those subscriptions until anything
happens to it: an undo, another ending, a new request, or a press to leave that finds nothing left to end.

Invariant: whoever is brought back is told by mail. Where no mail may go, nobody is brought back.
"""

from datetime import timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import clock, suppressions
from app.consent import Act
from app.outbox import Kind
from app.subscriptions import notices, renewal
from app.subscriptions.model import Status, Subscriber, Subscription
from app.subscriptions.renewal import Renewal

GOOD_FOR = timedelta(minutes=30)


def undo(session: Session, subscriber_id: UUID, undo_id: UUID, act: Act) -> list[str]:
    """Confirm again what that press ended, as far as it is this person's and nothing came since. It works once.

    Returns the newsletters that it brought back. None where the person had their share of notices today, or nothing
    may be mailed to them.
    """
    now = clock.now()
    unmailable = suppressions.forbids_mail(Subscriber.digest, now)
    ended = (Subscription.undo_id == undo_id) & (Subscription.status == Status.UNSUBSCRIBED)
    found = session.scalars(
        select(Subscription)
        .join(Subscriber, Subscription.subscriber_id == Subscriber.id)
        .where(ended, Subscription.subscriber_id == subscriber_id, ~unmailable)
        .order_by(Subscription.newsletter)
        .with_for_update(of=Subscription)
    ).all()
    if not found or not notices.owe(session, Kind.RESUBSCRIBED, found):
        return []
    for subscription in found:
        renewal.renew(session, subscription, Renewal(asked=act, asked_at=now, confirmed=act))
    return [each.newsletter for each in found]
