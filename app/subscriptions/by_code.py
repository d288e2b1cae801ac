"""Confirmation by the code that a letter carries beside its link.

A guess is worth what five in a million are: no letter takes more than five wrong ones, and an attempt leads to one
letter, the newest, so that many letters asked for under one attempt are no more guesses. Whatever is wrong with a
guess, the same statements run and a row is written: neither answer nor work tells whether there was a letter.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app import clock, codes
from app.abuse import recipient_limit
from app.consent import Act
from app.database import AnyRow
from app.outbox import Kind, Letter, State
from app.subscriptions import confirmation
from app.subscriptions.confirmation import Standing
from app.subscriptions.model import Status

TRIES = 5
GOOD_FOR = timedelta(minutes=30)
"""From when the letter was sent."""
_MAY_HAVE_ARRIVED = (State.QUEUED, State.DEFERRED, State.SENT)
"""Also those still owed: a person may type faster than the worker notes that the letter went."""


@dataclass(frozen=True, slots=True)
class Guess:
    """What was typed, and under which attempt: the id that the signup form chose."""

    attempt: str
    typed: str


def confirm(session: Session, guess: Guess, keys: Sequence[str], act: Act) -> UUID | None:
    """Confirm all that the attempt's letter asked for. Idempotent: the right code is right for half an hour.

    Returns the letter; None where nothing was confirmed, for whatever reason. To be committed all the same: a wrong
    code counts.
    """
    now = clock.now()
    attempts = codes.digests(keys, guess.attempt)
    # Two guesses under one attempt wait for each other by this row, whether or not there is a letter; it goes in a day.
    recipient_limit.hold(session, attempts[:1], now)
    letter_id = _newest(session, attempts, now) or uuid4()
    # Subscriptions before their letter, as all who lock both.
    _letter, asked = confirmation.lock(session, letter_id)
    is_right = codes.fits(keys, letter_id, guess.typed)
    letter = _count(session, letter_id, wrong=0 if is_right else 1)
    if not is_right or letter is None or not _is_open(letter, now):
        return None
    in_time = [each.newsletter for each in asked if each.status == Status.PENDING and (each.expires_at or now) > now]
    standings = confirmation.confirm(session, letter_id, chosen=in_time, act=act)
    return letter_id if Standing.CONFIRMED in standings.values() else None


def _newest(session: Session, attempts: Sequence[str], now: datetime) -> UUID | None:
    """The newest letter that was due: until it is, the person can only have the code of the one before."""
    return session.scalars(
        select(Letter.id)
        .where(Letter.attempt.in_(attempts), Letter.kind == Kind.CONFIRMATION, Letter.due_at <= now)
        .order_by(Letter.created_at.desc(), Letter.id)
        .limit(1)
    ).first()


def _count(session: Session, letter_id: UUID, *, wrong: int) -> AnyRow | None:
    return session.execute(
        update(Letter)
        .where(Letter.id == letter_id)
        .values(tries=Letter.tries + wrong)
        .returning(Letter.tries, Letter.state, Letter.due_at, Letter.state_at)
        .execution_options(synchronize_session=False)
    ).first()


def _is_open(letter: AnyRow, now: datetime) -> bool:
    sent_at = max(letter.due_at, letter.state_at)
    return letter.state in _MAY_HAVE_ARRIVED and letter.tries < TRIES and now < sent_at + GOOD_FOR
