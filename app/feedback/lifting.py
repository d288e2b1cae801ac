"""Lifting by hand what blocks mail to an address: a complaint, a decline, a hard bounce.

A person who complained cannot ask again by themselves (`decision.decide`): an operator has to lift the complaint first.
Their complained subscriptions are then `unsubscribed`, and only a double opt-in of their own restores them.
Lock order: `database.locks`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

from sqlalchemy import Connection, select
from sqlalchemy.orm import Session

from app import clock, consent, suppressions
from app.addresses import EmailAddress
from app.consent import Act, Actor, EventType, Step
from app.feedback import recipient
from app.feedback.recipient import Mailbox
from app.subscriptions import transitions
from app.subscriptions.lapsed_requests import LapsedRequest
from app.subscriptions.model import Status, Subscriber, Subscription
from app.suppressions import Reason


@dataclass(frozen=True, slots=True)
class Obstacles:
    """What keeps an address from being mailed, or from asking."""

    reasons: Sequence[Reason]
    complained: Sequence[str]
    """Newsletters."""

    def __bool__(self) -> bool:
        return bool(self.reasons or self.complained)


def find(connection: Connection, address: EmailAddress, suppression_key: str) -> Obstacles:
    """The current obstacles."""
    digests = suppressions.digests(address, suppression_key)
    complained = (
        select(Subscription.newsletter)
        .join(Subscriber, Subscriber.id == Subscription.subscriber_id)
        .where(Subscriber.canonical == address.canonical, Subscription.status == Status.COMPLAINED)
        .order_by(Subscription.newsletter)
    )
    reasons = suppressions.reasons(connection, digests, clock.now())
    return Obstacles(reasons, connection.scalars(complained).all())


def lift(session: Session, address: EmailAddress, suppression_key: str, why: str) -> Obstacles:
    """Lift all obstacles, and return them. Idempotent: without any, nothing is written.

    `why` becomes evidence, which the person may read.
    """
    now = clock.now()
    digests = suppressions.digests(address, suppression_key)
    held = recipient.hold(session, Mailbox(address.canonical, *digests))
    complained = [each for each in held if each.status == Status.COMPLAINED]
    lifted = Obstacles(suppressions.lift_all(session, digests, now), [each.newsletter for each in complained])
    if not lifted:
        return lifted
    for subscription in complained:
        _become_unsubscribed(subscription, now)
    act = Act(Actor.CONTROLLER, {"method": "command", "reasons": _told(lifted), "why": why})
    for step in _steps(session, held, digests, now):
        consent.record(session, step, act)
    return lifted


def _become_unsubscribed(subscription: Subscription, now: datetime) -> None:
    """When and how it ended stays in the row: evidence is kept from then on."""
    subscription.status = subscription.ended_as = Status.UNSUBSCRIBED
    subscription.since = now
    subscription.version += 1


def _told(lifted: Obstacles) -> list[str]:
    """Includes a complaint that is recorded on subscriptions alone."""
    return sorted({*lifted.reasons, *([Reason.COMPLAINT] if lifted.complained else [])})


def _steps(session: Session, held: Sequence[Subscription], digests: Sequence[str], now: datetime) -> list[Step]:
    """One per subscription, so that the evidence is kept and erased with it; else one per lapsed request.

    Of an erased person only the suppression is left: their event bears an id that leads to nobody.
    """
    if held:
        return [transitions.step(EventType.SUPPRESSION_LIFTED, each, now) for each in held]
    stubs = session.scalars(
        select(LapsedRequest)
        .where(LapsedRequest.digest.in_(digests))
        .order_by(LapsedRequest.subscription_id)
        .with_for_update()
    ).all()
    if stubs:
        kind = EventType.SUPPRESSION_LIFTED
        return [Step(kind, each.subscriber_id, each.subscription_id, each.newsletter, now) for each in stubs]
    return [Step(EventType.SUPPRESSION_LIFTED, uuid4(), None, None, now)]
