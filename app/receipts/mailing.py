"""Receipts by letter: whoever holds a forwarded link may ask, and only the holder of the mailbox gets to read."""

from datetime import timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import clock, outbox
from app.outbox import Kind
from app.subscriptions.model import Subscriber, Subscription

COOL_DOWN = timedelta(minutes=10)


def owe(session: Session, subscriber_id: UUID) -> None:
    """Owe the person a letter that leads to the receipt of each of their subscriptions.

    Not where one is still owed or went in the last 10 minutes; so it is idempotent. Nobody is owed nothing.
    """
    # Of two that ask at once the second finds the letter of the first.
    found = session.scalars(select(Subscriber).where(Subscriber.id == subscriber_id).with_for_update()).first()
    if found is None or outbox.is_served(session, Kind.PREFERENCES, found.id, since=clock.now() - COOL_DOWN):
        return
    theirs = select(Subscription.id, Subscription.nonce).where(Subscription.subscriber_id == found.id)
    about = {str(each.id): each.nonce for each in session.execute(theirs)}
    outbox.owe(session, Kind.PREFERENCES, subscriber_id=found.id, language=found.language, about=about)
