"""Renewal: an earlier consent continues, because the person said so by another way than a new signup.

Two steps are recorded, as in every double opt-in: the request, and its confirmation by the mailbox holder. The request
cites the words agreed to earlier, and the event that records them.
"""

import json
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import clock, consent
from app.consent import Act, ConsentEvent, EventType
from app.subscriptions import transitions
from app.subscriptions.model import Subscriber, Subscription

CARRIED_OVER = ("control", "language", "wordings")


@dataclass(frozen=True, slots=True)
class Renewal:
    """How the person requested it, and how they confirmed. Each act names its `method`."""

    asked: Act
    asked_at: datetime
    confirmed: Act


def renew(session: Session, subscription: Subscription, renewal: Renewal) -> None:
    """Confirm the subscription, which is locked, from any status. Not idempotent: each call records two events."""
    now = clock.now()
    transitions.become_confirmed(subscription, now)
    ask_again(session, subscription, renewal.asked, renewal.asked_at)
    consent.record(session, transitions.step(EventType.CONFIRMED, subscription, now), renewal.confirmed)


def ask_again(session: Session, subscription: Subscription, act: Act, asked_at: datetime) -> None:
    """Record a request that cites the words of the one before. Not idempotent."""
    details = {**_carried_over(session, subscription), **_person(session, subscription), **act.details}
    subscription.former_commitment = None
    consent.record(session, transitions.step(EventType.REQUESTED, subscription, asked_at), Act(act.actor, details))


def _carried_over(session: Session, subscription: Subscription) -> dict[str, consent.JsonValue]:
    """The id of the newest request in the evidence, and its wordings."""
    basis = session.execute(
        select(ConsentEvent.id, ConsentEvent.evidence)
        .where(
            ConsentEvent.subscription_id == subscription.id,
            ConsentEvent.type == EventType.REQUESTED,
            ConsentEvent.evidence.is_not(None),
        )
        .order_by(ConsentEvent.occurred_at.desc())
        .limit(1)
    ).one()
    known = json.loads(basis.evidence)
    return {"renews": str(basis.id), **{name: known[name] for name in CARRIED_OVER if name in known}}


def _person(session: Session, subscription: Subscription) -> dict[str, consent.JsonValue]:
    """The commitment to the present address, and to the former one if it changed since the last request."""
    present = session.get_one(Subscriber, subscription.subscriber_id).commitment
    if subscription.former_commitment is None:
        return {"address_commitment": present}
    return {"address_commitment": present, "previous_address_commitment": subscription.former_commitment}
