"""Confirmation by code: six digits in the letter beside its link, typed on the page that is still open.

The form id, which the signup form chose, links page and letter. Nothing stored can confirm: of the form id only a keyed
digest is kept, and the code not at all, because it is derived from the secret keys and the letter.

The chance of guessing is five in a million: a letter accepts five wrong codes at most, and a form id leads to one
letter, the newest, so that many letters requested under one form id give no further guesses. Several forms may lead to
one letter, whose five tries they share. Whatever is wrong with a guess, the same statements run and a row is written:
neither answer nor work reveals whether there was a letter.
Lock order: `database.locks`.
"""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app import clock
from app.abuse import recipient_limit
from app.consent import Act
from app.database import AnyRow
from app.outbox import Letter, LetterKind, State
from app.subscriptions import confirmation
from app.subscriptions.confirmation import Standing
from app.subscriptions.model import Status, Subscription

DIGITS = 6
TRIES = 5
GOOD_FOR = timedelta(minutes=30)
"""Counted from when the letter was sent."""
_MAY_HAVE_ARRIVED = (State.QUEUED, State.DEFERRED, State.SENT)
"""Includes letters still owed: a person may type before the worker records the letter as sent."""


@dataclass(frozen=True, slots=True)
class Guess:
    """The typed code, and the form id that the signup form chose."""

    form_id: str
    typed: str


def confirm(session: Session, guess: Guess, keys: Sequence[str], act: Act) -> UUID | None:
    """Confirm all that the form's letter asked for. Idempotent: the right code works for half an hour.

    Returns the letter's id; None if nothing was confirmed, for whatever reason. Commit in either case: a wrong code
    counts.
    """
    now = clock.now()
    form_ids = digests(keys, guess.form_id)
    # This row serialises guesses under one form id, whether or not there is a letter; it is purged after a day.
    recipient_limit.hold(session, form_ids[:1], now)
    letter_id = _newest(session, form_ids, now) or uuid4()
    _letter, asked = confirmation.lock(session, letter_id)
    is_right = fits(keys, letter_id, guess.typed)
    letter = _count(session, letter_id, wrong=0 if is_right else 1)
    if not is_right or letter is None or not _is_open(letter, now):
        return None
    in_time = [each.newsletter for each in asked if each.status == Status.PENDING and (each.expires_at or now) > now]
    standings = confirmation.confirm(session, letter_id, chosen=in_time, act=act)
    return letter_id if Standing.CONFIRMED in standings.values() else None


def _newest(session: Session, form_ids: Sequence[str], now: datetime) -> UUID | None:
    """The newest letter already due: before that, the person can only have the previous letter's code."""
    owed = select(Letter.id).where(Letter.form_id.in_(form_ids))
    joined = select(Subscription.letter_id).where(Subscription.form_id.in_(form_ids))
    return session.scalars(
        select(Letter.id)
        .where(Letter.id.in_(owed.union(joined)), Letter.kind == LetterKind.CONFIRMATION, Letter.due_at <= now)
        .order_by(Letter.created_at.desc(), Letter.id)
        .limit(1)
    ).first()


def _count(session: Session, letter_id: UUID, *, wrong: int) -> AnyRow | None:
    return session.execute(
        update(Letter)
        .where(Letter.id == letter_id)
        .values(wrong_codes=Letter.wrong_codes + wrong)
        .returning(Letter.wrong_codes, Letter.state, Letter.due_at, Letter.state_at)
        .execution_options(synchronize_session=False)
    ).first()


def _is_open(letter: AnyRow, now: datetime) -> bool:
    sent_at = max(letter.due_at, letter.state_at)
    return letter.state in _MAY_HAVE_ARRIVED and letter.wrong_codes < TRIES and now < sent_at + GOOD_FOR


def digests(keys: Sequence[str], form_id: str) -> list[str]:
    """Keyed digests of a form id, one per key; the first is the one to store."""
    # A lone surrogate, which JSON can hold, has no UTF-8 encoding.
    return [_mac(key, "attempt", form_id.encode(errors="surrogatepass")).hex() for key in keys]


def code(key: str, letter_id: UUID) -> str:
    """From 64 bits, so that the codes below 551,616 are likelier than the others by less than one in 10 to the 13."""
    number = int.from_bytes(_mac(key, "code", letter_id.bytes)[:8], "big")
    return f"{number % 10**DIGITS:0{DIGITS}}"


def grouped(code: str) -> str:
    """In groups of three: `123 456`."""
    return f"{code[:3]} {code[3:]}"


def fits(keys: Sequence[str], letter_id: UUID, typed: str) -> bool:
    """Whether `typed` is the letter's code, grouped or not. Takes the same time for wrong and right codes."""
    digits = "".join(typed.split()).encode(errors="surrogatepass")
    return [hmac.compare_digest(code(key, letter_id).encode(), digits) for key in keys].count(True) > 0


def _mac(key: str, use: str, of: bytes) -> bytes:
    return hmac.digest(key.encode(), f"jawel/{use}/v1\n".encode() + of, "sha256")
