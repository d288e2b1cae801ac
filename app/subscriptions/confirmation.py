"""Confirmation: the second half of double opt-in.

A link leads to a letter, which names the subscriptions it asked for and their nonces. The link can act only while the
nonce is unchanged. Everything here is idempotent: the second time changes nothing and answers the same.
Lock order: `database.locks`.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from functools import cache
from uuid import UUID

from sqlalchemy import Connection, bindparam, select
from sqlalchemy.orm import Session

from app import clock, consent, suppressions
from app.addresses import EmailAddress
from app.consent import Act, EventType
from app.database.prepared import PreparedStatement
from app.outbox import Letter, State
from app.subscriptions import leavings, stated_requests, transitions
from app.subscriptions.address_change import changes
from app.subscriptions.model import Status, Subscriber, Subscription
from app.subscriptions.stated_requests import Origin
from app.suppressions import Reason


class Standing(Enum):
    """State of a subscription, as seen from one link."""

    OPEN = auto()
    CONFIRMED = auto()
    ENDED = auto()
    """Unsubscribed, declined or erased since: this link can do nothing any more."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A confirmation letter: its recipient, what it asked for, and the current state of each subscription."""

    letter_id: UUID
    subscriber_id: UUID
    address: EmailAddress
    language: str
    asked_at: datetime
    asked_from: str | None
    standings: Mapping[str, Standing]
    """By newsletter."""
    origin: Origin

    def those(self, standing: Standing) -> list[str]:
        return [newsletter for newsletter, each in self.standings.items() if each is standing]


@dataclass(frozen=True, slots=True)
class Confirmed:
    subscription_id: UUID
    since: datetime


def find(connection: Connection, letter_id: UUID) -> Asked | None:
    """None if the letter, and with it the address, has been erased."""
    found = _finding().run(connection, {"letter": letter_id})
    if not found:
        return None
    letter = found[0]
    return Asked(
        letter_id=letter_id,
        subscriber_id=letter.subscriber_id,
        address=EmailAddress(letter.address, letter.canonical),
        language=letter.language,
        asked_at=letter.created_at,
        asked_from=letter.asked_from,
        origin=stated_requests.of(connection, {letter_id: [UUID(each) for each in letter.about]})[letter_id],
        standings={
            each.newsletter: _standing(each.status, each.nonce == letter.about[str(each.subscription_id)])
            for each in found
            if str(each.subscription_id) in letter.about
        },
    )


@cache
def _finding() -> PreparedStatement:
    return PreparedStatement(
        select(
            Letter.about,
            Letter.created_at,
            Letter.asked_from,
            Letter.language,
            Letter.subscriber_id,
            Subscriber.address,
            Subscriber.canonical,
            Subscription.id.label("subscription_id"),
            Subscription.newsletter,
            Subscription.status,
            Subscription.nonce,
        )
        .join(Subscriber, Letter.subscriber_id == Subscriber.id)
        .outerjoin(Subscription, Subscription.subscriber_id == Subscriber.id)
        .where(Letter.id == bindparam("letter"))
        .order_by(Subscription.newsletter)
    )


def _standing(status: str, nonce_stands: bool) -> Standing:
    if not nonce_stands:
        return Standing.ENDED
    return {Status.PENDING: Standing.OPEN, Status.CONFIRMED: Standing.CONFIRMED}.get(Status(status), Standing.ENDED)


def confirmed_since(connection: Connection, letter_id: UUID, earliest: datetime) -> Mapping[str, Confirmed]:
    """By newsletter: the letter's subscriptions confirmed after `earliest`. Empty once the letter is erased.

    Also empty if the person changed address since: that confirms anew, without the letter.
    """
    found = connection.execute(
        select(Letter.about, Subscription.id, Subscription.newsletter, Subscription.nonce, Subscription.since)
        .join(Subscription, Subscription.subscriber_id == Letter.subscriber_id)
        .where(Letter.id == letter_id, Subscription.status == Status.CONFIRMED, Subscription.since > earliest)
        .where(~changes.moved(Letter.subscriber_id, since=earliest))
    )
    return {
        each.newsletter: Confirmed(each.id, each.since) for each in found if each.about.get(str(each.id)) == each.nonce
    }


def confirm(session: Session, letter_id: UUID, *, chosen: Collection[str], act: Act) -> Mapping[str, Standing]:
    """Confirm the chosen subscriptions of the letter that are still pending. Idempotent.

    Returns the state of each newsletter, except those that the link can no longer affect.
    """
    letter, subscriptions = lock(session, letter_id)
    now = clock.now()
    open_ones = [each for each in subscriptions if each.status == Status.PENDING and each.newsletter in chosen]
    for subscription in open_ones:
        transitions.become_confirmed(subscription, now)
        step = transitions.step(EventType.CONFIRMED, subscription, now)
        consent.record(session, step, after_letter(act, letter, now))
    if open_ones:
        _lift_hard_bounce(session, open_ones[0])
        leavings.forget(session, open_ones)
    return {each.newsletter: _standing(each.status, nonce_stands=True) for each in subscriptions}


def _lift_hard_bounce(session: Session, subscription: Subscription) -> None:
    """Lift a hard bounce: the press proves that the letter was read, so the mailbox exists."""
    digest = select(Subscriber.digest).where(Subscriber.id == subscription.subscriber_id).scalar_subquery()
    suppressions.lift(session, digest, Reason.HARD_BOUNCE)


def lock(session: Session, letter_id: UUID) -> tuple[Letter | None, list[Subscription]]:
    """The letter's subscriptions with current nonce, locked: of two presses at once the second finds the first done."""
    letter, held = hold(session, letter_id)
    return letter, with_current_nonce(letter, held)


def with_current_nonce(letter: Letter | None, held: Sequence[Subscription]) -> list[Subscription]:
    return [each for each in held if letter and letter.about.get(str(each.id)) == each.nonce]


def hold(session: Session, letter_id: UUID) -> tuple[Letter | None, list[Subscription]]:
    """The letter, with all subscriptions of its recipient, locked."""
    found = session.execute(
        select(Letter, Subscription)
        .join(Subscription, Subscription.subscriber_id == Letter.subscriber_id)
        .where(Letter.id == letter_id)
        .order_by(Subscription.newsletter)
        .with_for_update(of=Subscription)
    ).all()
    return found[0][0] if found else None, [each for _letter, each in found]


def after_letter(act: Act, letter: Letter | None, now: datetime) -> Act:
    """Always names the letter, which an auditor compares with the one that the request owed.

    The delay distinguishes a person from a scanner that presses buttons, should one ever come. A person may press
    before the worker has recorded the letter as sent.
    """
    if letter is None:
        return act
    named = {**act.details, "letter": str(letter.id)}
    if letter.state != State.SENT:
        return Act(act.actor, named)
    return Act(act.actor, {**named, "seconds_since_letter": int((now - letter.state_at).total_seconds())})
