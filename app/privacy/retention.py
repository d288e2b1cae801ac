"""Retention (GDPR Art. 5(1)(e)): what is kept no longer than it is needed for, and who sees to it.

A chore is one function that does a bounded piece of work in a transaction of its own. Whatever another process has
locked is passed over: any number may carry them out at once, and doing so again changes nothing.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import partial

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import budgets, clock, proof_of_work, suppressions
from app.breakers import switching
from app.consent import Act, Actor
from app.database import Database
from app.newsletters.terms import TRACES_KEPT_FOR, Catalogue, Newsletter
from app.privacy import erasure
from app.privacy.tombstones import Reason
from app.subscriptions import ending, feedback
from app.subscriptions.model import HAS_ENDED, Subscription
from app.subscriptions.moving import changes
from app.subscriptions.stubs import Stub

AT_MOST = 200
KEPT_LONG_ENOUGH = Act(Actor.SERVICE, {"method": "kept long enough"})


class Kind(StrEnum):
    """What is purged; in logs it is the name of the event."""

    EXPIRED = "subscriptions.expired"
    BOUNCED = "bounced.erased"
    UNCONFIRMED = "unconfirmed.erased"
    WITHDRAWN = "withdrawn.erased"
    SUPPRESSIONS = "suppressions.ended"
    BUDGETS = "mail_budgets.forgotten"
    ADDRESS_CHANGES = "address_changes.forgotten"
    PROOFS = "spent_proofs.forgotten"
    BREAKER_COUNTS = "breaker_counts.forgotten"
    BREAKER_CHANGES = "breaker_changes.forgotten"
    FEEDBACK = "feedback_reports.forgotten"


@dataclass(frozen=True, slots=True)
class Chore:
    kind: Kind
    step: Callable[[Session], int]
    """Does AT_MOST at once; returns how many it did."""
    newsletter: str | None = None


def chores(catalogue: Catalogue) -> Iterator[Chore]:
    for slug, newsletter in catalogue.newsletters.items():
        yield Chore(Kind.EXPIRED, partial(_expire, newsletter), slug)
        yield Chore(Kind.WITHDRAWN, partial(_erase_withdrawn, newsletter), slug)
    yield Chore(Kind.BOUNCED, lambda session: ending.erase_unconfirmed(session, clock.now(), at_most=AT_MOST))
    yield Chore(Kind.UNCONFIRMED, _erase_unconfirmed)
    yield Chore(Kind.SUPPRESSIONS, lambda session: suppressions.purge(session, clock.now(), at_most=AT_MOST))
    yield Chore(Kind.ADDRESS_CHANGES, lambda session: changes.purge(session, clock.now(), at_most=AT_MOST))
    yield Chore(Kind.BREAKER_COUNTS, lambda session: switching.purge_minutes(session, clock.now(), at_most=AT_MOST))
    yield Chore(Kind.BREAKER_CHANGES, lambda session: switching.purge_changes(session, clock.now(), at_most=AT_MOST))
    yield Chore(Kind.FEEDBACK, _forget_reports)
    yield Chore(Kind.BUDGETS, lambda session: budgets.purge(session, clock.now(), at_most=AT_MOST))
    yield Chore(Kind.PROOFS, lambda session: proof_of_work.purge(session, clock.now(), at_most=AT_MOST))


def carry_out(database: Database, chore: Chore) -> int:
    """Step by step until nothing is due but what others have in hand. Returns how many were purged."""
    total, done = 0, AT_MOST
    while done == AT_MOST:
        with database.transaction() as session:
            done = chore.step(session)
        total += done
    return total


def _expire(newsletter: Newsletter, session: Session) -> int:
    return ending.expire(session, newsletter, clock.now(), at_most=AT_MOST)


def _erase_withdrawn(newsletter: Newsletter, session: Session) -> int:
    """The proof of a consent that is over is kept for claims about it (Art. 17(3)(e)), and then for nothing more."""
    over = clock.now() - newsletter.keep_evidence
    due = session.scalars(
        select(Subscription)
        .where(
            Subscription.newsletter == newsletter.slug,
            HAS_ENDED,
            Subscription.ended_at <= over,
        )
        .order_by(Subscription.ended_at)
        .limit(AT_MOST)
        .with_for_update(skip_locked=True)
    ).all()
    # All who take several subscribers take them in this order, and so never wait for each other.
    in_turn = sorted(due, key=lambda each: each.subscriber_id)
    if not in_turn:
        return 0
    erasure.erase_subscriptions(session, in_turn, Reason.RETENTION, KEPT_LONG_ENOUGH)
    return len(due)


def _forget_reports(session: Session) -> int:
    return feedback.purge(session, clock.now() - TRACES_KEPT_FOR, at_most=AT_MOST)


def _erase_unconfirmed(session: Session) -> int:
    """The evidence of a request that came to nothing outlives its address by as long as its stub is kept."""
    due = (
        select(Stub.subscription_id)
        .where(Stub.lapsed_at <= clock.now() - TRACES_KEPT_FOR)
        .order_by(Stub.lapsed_at)
        .limit(AT_MOST)
        .with_for_update(skip_locked=True)
    )
    return erasure.erase_stubs(session, Stub.subscription_id.in_(due), Reason.UNCONFIRMED, KEPT_LONG_ENOUGH)
