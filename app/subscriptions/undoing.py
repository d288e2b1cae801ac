"""Undoing: the way back from leaving by mistake, on the very page that answered, and for half an hour.

Mails get forwarded, and so do the links to leave: the link alone never leads back. Whoever pressed holds a token for
each subscription that this very press ended, and it is void as soon as that ending does not stand any more.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import clock
from app.consent import Act
from app.subscriptions import renewal
from app.subscriptions.model import Status, Subscription
from app.subscriptions.renewal import Renewal
from app.tokens import Claim

GOOD_FOR = timedelta(minutes=30)


def until(ended_at: datetime) -> datetime:
    """When an ending can no longer be undone: to the second, as a token says it."""
    return (ended_at + GOOD_FOR).replace(microsecond=0)


def undo(session: Session, subscriber_id: UUID, claims: Sequence[Claim], act: Act) -> list[str]:
    """Confirm again what the claims are about, as far as they are this person's and still stand. Idempotent.

    Returns the newsletters among them that are confirmed now.
    """
    now = clock.now()
    offered = {claim.subject: claim.expires_at for claim in claims if claim.expires_at and not claim.has_expired(now)}
    found = session.scalars(
        select(Subscription)
        .where(Subscription.id.in_(offered), Subscription.subscriber_id == subscriber_id)
        .order_by(Subscription.newsletter)
        .with_for_update()
    ).all()
    for subscription in found:
        ended_at = subscription.ended_at if subscription.status == Status.UNSUBSCRIBED else None
        if ended_at and until(ended_at) == offered[subscription.id]:
            renewal.renew(session, subscription, Renewal(asked=act, asked_at=now, confirmed=act))
    return [each.newsletter for each in found if each.status == Status.CONFIRMED]
