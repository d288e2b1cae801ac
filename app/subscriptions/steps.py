"""A step of a subscription: what becomes of its row, and how its event names it."""

from datetime import datetime

from app.consent import EventType, Step
from app.subscriptions.model import Status, Subscription


def become_confirmed(subscription: Subscription, now: datetime) -> None:
    """Whatever it was: of how it ended before, nothing stays in the row."""
    subscription.status = Status.CONFIRMED
    subscription.since = now
    subscription.expires_at = subscription.lapses_at = None
    subscription.ended_as = subscription.ended_at = subscription.reason = subscription.undo_id = None
    subscription.version += 1


def step(type: EventType, subscription: Subscription, occurred_at: datetime) -> Step:
    return Step(type, subscription.subscriber_id, subscription.id, subscription.newsletter, occurred_at)
