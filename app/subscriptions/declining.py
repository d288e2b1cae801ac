"""Declining: "this was not me", pressed in a confirmation letter, and the one-click cancel of its mail program.

A press keeps the mailbox free of confirmation mails for 30 days. The request is erased with its address, once the page
that answered can no longer take the press back (`undo`). One-click is also pressed by habit and by scanners: it only
cancels the request, keeps the mailbox quiet for a day, and has no undo.

Lock order: `database.locks`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app import clock, consent, suppressions
from app.consent import Act, ConsentEvent, EventType
from app.newsletters.definitions import TRACES_KEPT_FOR, Catalogue
from app.subscriptions import confirmation, subscriber, transitions, undo, withdrawal
from app.subscriptions.model import Status, Subscription

CANCELLED_FOR = timedelta(hours=24)
DAY = timedelta(days=1)
UNDOS_A_DAY = 3
"""Of one request: declines are evidence, and trip breakers, so presses and undos in turns must not make many."""


@dataclass(frozen=True, slots=True)
class Declined:
    """What a press did."""

    is_quiet: bool = False
    """Whether it keeps the mailbox free of confirmation mails."""
    has_left: bool = False
    """Whether it ended something that was confirmed."""
    undo_subject: UUID | None = None
    """What the token of an undo must name; None if there is nothing to undo."""


def decline(
    session: Session, letter_id: UUID, *, catalogue: Catalogue, act: Act, undo_id: UUID | None = None
) -> Declined:
    """End the letter's pending subscriptions, and send the mailbox no confirmation mail for 30 days. Idempotent.

    By one-click it only cancels the request, for CANCELLED_FOR. Subscriptions confirmed meanwhile are left, as by any
    other press to leave. Those that had ended stay ended: their undo is voided. `undo_id` is a new random value if the
    answer can offer an undo; without one, a request is erased at once.
    """
    letter, held = confirmation.hold(session, letter_id)
    if letter is None:
        return Declined()
    undo.void(held, [each for each in held if str(each.id) in letter.about])
    asked = confirmation.with_current_nonce(letter, held)
    pending = [each for each in asked if each.status == Status.PENDING]
    left = [each for each in asked if each.status == Status.CONFIRMED]
    undo_id = undo_id if (pending or left) and not _is_declined_too_often(session, pending) else None
    if pending:
        _object(session, session.execute(subscriber.known_by(letter.subscriber_id)).one(), act, undo_id)
    for subscription in pending:
        _end(session, subscription, confirmation.after_letter(act, letter, clock.now()), undo_id)
    for subscription in left:
        transitions.end(session, subscription, Status.UNSUBSCRIBED, act)
        subscription.undo_id = undo_id
    transitions.acknowledge(session, left, catalogue)
    return Declined(bool(pending), bool(left), undo_id and undo.subject(letter.subscriber_id, undo_id))


def _end(session: Session, subscription: Subscription, act: Act, undo_id: UUID | None) -> None:
    now = clock.now()
    consent.record(session, transitions.step(EventType.DECLINED, subscription, now), act)
    if undo_id is None:
        transitions.lapse(session, subscription)
    else:
        transitions.set_aside(subscription, undo_id, now, until=now + undo.UNDO_WITHIN)


def _object(session: Session, known_by: Iterable[str | None], act: Act, undo_id: UUID | None) -> None:
    now = clock.now()
    until = now + (CANCELLED_FOR if _is_one_click(act) else TRACES_KEPT_FOR)
    suppressions.note_decline(session, known_by, now, until=until, undo_id=undo_id)


def _is_declined_too_often(session: Session, pending: Sequence[Subscription]) -> bool:
    lately = (
        select(func.count())
        .where(
            ConsentEvent.subscription_id.in_([each.id for each in pending]),
            ConsentEvent.type == EventType.DECLINED,
            ConsentEvent.occurred_at > clock.now() - DAY,
        )
        .group_by(ConsentEvent.subscription_id)
    )
    return max(session.scalars(lately), default=0) >= UNDOS_A_DAY


def _is_one_click(act: Act) -> bool:
    return act.details["method"] == withdrawal.ONE_CLICK
