"""Retention (GDPR Art. 5(1)(e)): purges data that is no longer needed.

A step of a chore is a bounded piece of work in a transaction of its own. Invariant: a step skips rows that another
process has locked, so any number of processes may run chores at once; chores are idempotent.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import partial

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import clock, feedback, suppressions
from app.abuse import proof_of_work, recipient_limit
from app.abuse.attack_detection import switching
from app.consent import Act, Actor
from app.database import Database
from app.ledger import erasures
from app.newsletters.definitions import TRACES_KEPT_FOR, Catalogue, Newsletter
from app.privacy import erasure
from app.privacy.tombstones import ErasureReason
from app.subscriptions import transitions
from app.subscriptions.address_change import changes
from app.subscriptions.lapsed_requests import LapsedRequest
from app.subscriptions.model import HAS_ENDED, Subscription

KEPT_LONG_ENOUGH = Act(Actor.SERVICE, {"method": "kept long enough"})


class PurgeKind(StrEnum):
    """The kind of purge; also the name of its log event."""

    EXPIRED = "subscriptions.expired"
    BOUNCED = "bounced.erased"
    DECLINED = "declined.erased"
    UNCONFIRMED = "unconfirmed.erased"
    WITHDRAWN = "withdrawn.erased"
    SUPPRESSIONS = "suppressions.ended"
    BUDGETS = "mail_budgets.forgotten"
    ADDRESS_CHANGES = "address_changes.forgotten"
    PROOFS = "spent_proofs.forgotten"
    BREAKER_COUNTS = "breaker_counts.forgotten"
    BREAKER_CHANGES = "breaker_changes.forgotten"
    FEEDBACK = "feedback_reports.forgotten"
    ERASURES = "erasures.forgotten"


@dataclass(frozen=True, slots=True)
class Chore:
    kind: str
    """Also the name of the log event."""
    step: Callable[[Session, int], int]
    """Purges at most the given number of rows; returns the number purged."""
    newsletter: str | None = None


@dataclass(frozen=True, slots=True)
class Pace:
    """Limits on a purge, so that other transactions get through."""

    rows: int
    """Maximum per step."""
    rest: float
    """Pause after a step, as a multiple of the step's duration."""


PACES: Mapping[str, Pace] = {
    # SQLite has one writer at a time: a signup waits for the step to end, and polls up to 25 ms later.
    "sqlite": Pace(rows=20, rest=2.0),
    "postgresql": Pace(rows=250, rest=0.5),
}


def chores(catalogue: Catalogue) -> Iterator[Chore]:
    for slug, newsletter in catalogue.newsletters.items():
        yield Chore(PurgeKind.EXPIRED, partial(_expire, newsletter), slug)
        yield Chore(PurgeKind.WITHDRAWN, partial(_erase_withdrawn, newsletter), slug)
    yield Chore(PurgeKind.BOUNCED, _ended_by(transitions.erase_unconfirmed))
    yield Chore(PurgeKind.DECLINED, _ended_by(transitions.erase_declined))
    yield Chore(PurgeKind.UNCONFIRMED, _erase_unconfirmed)
    yield Chore(PurgeKind.SUPPRESSIONS, _ended_by(suppressions.purge))
    yield Chore(PurgeKind.ADDRESS_CHANGES, _ended_by(changes.purge))
    yield Chore(PurgeKind.BREAKER_COUNTS, _ended_by(switching.purge_minutes))
    yield Chore(PurgeKind.BREAKER_CHANGES, _ended_by(switching.purge_changes))
    yield Chore(PurgeKind.FEEDBACK, _forget_reports)
    yield Chore(PurgeKind.ERASURES, _forget_erasures)
    yield Chore(PurgeKind.BUDGETS, _ended_by(recipient_limit.purge))
    yield Chore(PurgeKind.PROOFS, _ended_by(proof_of_work.purge))


def step(database: Database, chore: Chore, rest: Callable[[float], object] = time.sleep) -> int:
    """One transaction, then a pause; `rest` takes seconds. Returns the number purged."""
    begun = time.monotonic()
    with database.transaction() as session:
        done = chore.step(session, _pace(database).rows)
    if done:
        rest(_pace(database).rest * (time.monotonic() - begun))
    return done


def goes_on(database: Database, done: int) -> bool:
    """Whether more rows may be due after a step that purged `done`."""
    return done == _pace(database).rows


def steps(database: Database, chore: Chore) -> Iterator[int]:
    """Run steps until all due rows that are not locked elsewhere are purged. Yields the number purged by each."""
    yield (done := step(database, chore))
    while goes_on(database, done):
        yield (done := step(database, chore))


def carry_out(database: Database, chore: Chore) -> int:
    """All steps. Returns the number purged."""
    return sum(steps(database, chore))


def _pace(database: Database) -> Pace:
    return PACES[database.writer.dialect.name]


def _ended_by(purge: Callable[..., int]) -> Callable[[Session, int], int]:
    return lambda session, at_most: purge(session, clock.now(), at_most=at_most)


def _expire(newsletter: Newsletter, session: Session, at_most: int) -> int:
    return transitions.expire(session, newsletter, clock.now(), at_most=at_most)


def _erase_withdrawn(newsletter: Newsletter, session: Session, at_most: int) -> int:
    """Evidence of an ended consent is kept for legal claims (Art. 17(3)(e)) for `keep_evidence`, then erased."""
    over = clock.now() - newsletter.keep_evidence
    due = session.scalars(
        select(Subscription)
        .where(
            Subscription.newsletter == newsletter.slug,
            HAS_ENDED,
            Subscription.ended_at <= over,
        )
        .order_by(Subscription.ended_at)
        .limit(at_most)
        .with_for_update(skip_locked=True)
    ).all()
    # Every transaction that locks several subscribers uses this order, so they cannot deadlock.
    in_turn = sorted(due, key=lambda each: each.subscriber_id)
    if not in_turn:
        return 0
    erasure.erase_subscriptions(session, in_turn, ErasureReason.RETENTION, KEPT_LONG_ENOUGH)
    return len(due)


def _forget_reports(session: Session, at_most: int) -> int:
    return feedback.purge(session, clock.now() - TRACES_KEPT_FOR, at_most=at_most)


def _forget_erasures(session: Session, at_most: int) -> int:
    return erasures.purge(session, clock.now() - TRACES_KEPT_FOR, at_most=at_most)


def _erase_unconfirmed(session: Session, at_most: int) -> int:
    """Erase lapsed requests, which keep the evidence for `TRACES_KEPT_FOR` after the address is erased."""
    due = (
        select(LapsedRequest.subscription_id)
        .where(LapsedRequest.lapsed_at <= clock.now() - TRACES_KEPT_FOR)
        .order_by(LapsedRequest.lapsed_at)
        .limit(at_most)
        .with_for_update(skip_locked=True)
    )
    due_ones = LapsedRequest.subscription_id.in_(due)
    return erasure.erase_lapsed_requests(session, due_ones, ErasureReason.UNCONFIRMED, KEPT_LONG_ENOUGH)
