"""Declining: "this was not me", pressed in a confirmation letter, and the one-click cancel of its mail program.

A press keeps the mailbox free of confirmation mails for 30 days. The request is erased with its address, once the page
that answered can no longer take the press back (`undo`). One-click is also pressed by habit and by scanners: it only
cancels the request, keeps the mailbox quiet for a day, and has no undo.

Invariant: a person who presses after the request was cancelled, declined or not confirmed in time is still heard, as
long as a trace leads to the address.
Lock order: `database.locks`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import Row, func, select
from sqlalchemy.orm import Session

from app import clock, consent, suppressions
from app.consent import Act, ConsentEvent, EventType
from app.newsletters.definitions import TRACES_KEPT_FOR, Catalogue
from app.outbox import Letter
from app.subscriptions import confirmation, lapsed_requests, subscriber, transitions, undo, withdrawal
from app.subscriptions.address_change import changes
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
        return _decline_lapsed(session, letter_id, act)
    undo.void(held, [each for each in held if str(each.id) in letter.about])
    asked = confirmation.with_current_nonce(letter, held)
    pending = [each for each in asked if each.status == Status.PENDING]
    left = [each for each in asked if each.status == Status.CONFIRMED]
    undo_id = undo_id if (pending or left) and not _is_declined_too_often(session, pending) else None
    theirs = subscriber.known_by(letter.subscriber_id)
    known_by = session.execute(theirs).first() if pending else _lapsed_from(session, letter, act)
    if known_by:
        _object(session, known_by, act, undo_id)
    for subscription in pending:
        _end(session, subscription, confirmation.after_letter(act, letter, clock.now()), undo_id)
    for subscription in left:
        transitions.end(session, subscription, Status.UNSUBSCRIBED, act)
        subscription.undo_id = undo_id
    transitions.acknowledge(session, left, catalogue)
    return Declined(known_by is not None, bool(left), undo_id and undo.subject(letter.subscriber_id, undo_id))


def _lapsed_from(session: Session, letter: Letter, act: Act) -> Row[str | None, str | None] | None:
    """Digests of the address that the letter went to, if what it asked for has lapsed; None also for one-click.

    The person may have another address by now, which whoever reads the former mailbox has no say in.
    """
    if _is_one_click(act) or not _has_lapsed(session, letter):
        return None
    stays = ~changes.moved(letter.subscriber_id, since=letter.created_at)
    theirs = session.execute(subscriber.known_by(letter.subscriber_id).where(stays)).first()
    return theirs or session.execute(lapsed_requests.known_by(letter.id)).first()


def _has_lapsed(session: Session, letter: Letter) -> bool:
    """Whether the newest step of what the letter asked for is that it was cancelled, declined or not confirmed."""
    newest = (
        select(ConsentEvent.type)
        .where(
            ConsentEvent.subscription_id.in_(map(UUID, letter.about)),
            ConsentEvent.type.not_in([EventType.LETTER_ACCEPTED, EventType.SUPPRESSION_LIFTED]),
        )
        .order_by(ConsentEvent.occurred_at.desc())
        .limit(1)
    )
    return session.scalar(newest) in (EventType.DECLINED, EventType.EXPIRED)


def _decline_lapsed(session: Session, letter_id: UUID, act: Act) -> Declined:
    """The request is erased, and so is the address; its digests are kept for a while."""
    known_by = session.execute(lapsed_requests.known_by(letter_id)).first()
    if known_by is None or _is_one_click(act):
        return Declined()
    _object(session, known_by, act)
    return Declined(is_quiet=True)


def _end(session: Session, subscription: Subscription, act: Act, undo_id: UUID | None) -> None:
    now = clock.now()
    consent.record(session, transitions.step(EventType.DECLINED, subscription, now), act)
    if undo_id is None:
        transitions.lapse(session, subscription)
    else:
        transitions.set_aside(subscription, undo_id, now, until=now + undo.UNDO_WITHIN)


def _object(session: Session, known_by: Iterable[str | None], act: Act, undo_id: UUID | None = None) -> None:
    now = clock.now()
    until = now + (CANCELLED_FOR if _is_one_click(act) else TRACES_KEPT_FOR)
    suppressions.note_decline(session, known_by, since=now, until=until, undo_id=undo_id)


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
