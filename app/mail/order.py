"""Order of letters: first confirmations that a person waits for, and beside them the oldest letters.

Of each claim three quarters are for the former, a quarter for the latter; either may use what the other leaves free.
Confirmations are taken round-robin over the newsletters: a flood of requests delays only its own newsletter.
"""

import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.orm import Session

from app import clock, outbox
from app.outbox import Letter, LetterKind
from app.subscriptions.model import Subscription

WAITED_FOR = timedelta(minutes=15)
"""How long a person waits for the letter: a second one on the same day is owed only after ten minutes."""
QUARTER = 4
LOOKED_AT = 500
"""So many of the newest letters are in the round-robin: enough to include a current request even in a flood."""


def claim(session: Session, *, lease_for: timedelta, at_most: int) -> list[Letter]:
    """As `outbox.claim`, awaited confirmations first. If few letters are due, it costs no additional statement."""
    until = clock.now() + lease_for
    # Randomly rounded, so that both shares are served even if letters are claimed one at a time.
    by_age = (at_most + secrets.randbelow(QUARTER)) // QUARTER
    claimed = outbox.claim(session, lease_for=lease_for, at_most=by_age) if by_age else []
    if len(claimed) == by_age:
        claimed += outbox.lease(session, _waited_for(clock.now(), at_most - by_age), until)
        if len(claimed) < at_most:
            claimed += outbox.claim(session, lease_for=lease_for, at_most=at_most - len(claimed))
    return _in_turn(claimed)


def _in_turn(letters: Sequence[Letter]) -> list[Letter]:
    since = clock.now() - WAITED_FOR
    return sorted(letters, key=lambda each: (not _is_waited_for(each, since), each.due_at, each.created_at))


def _is_waited_for(letter: Letter, since: datetime) -> bool:
    is_first_try = letter.deliveries == 1 and not letter.is_unproven
    return letter.kind == LetterKind.CONFIRMATION and is_first_try and letter.created_at > since


def _waited_for(now: datetime, at_most: int) -> Select[UUID]:
    """Round-robin: the first letter of each newsletter, then the second of each."""
    # A letter that is no subscription's newest is obsolete: all those count as one newsletter.
    # Of the bare column PostgreSQL may look for the minimum in the index on it, and so read it all for each letter.
    first = func.min(Subscription.newsletter.concat(""))
    newsletter = select(first).where(Subscription.letter_id == Letter.id).scalar_subquery()
    newest = (
        select(Letter.id, Letter.due_at, Letter.created_at, newsletter.label("newsletter"))
        .where(outbox.IS_OWED, *_are_waited_for(now))
        .order_by(Letter.due_at.desc())
        .limit(LOOKED_AT)
        .subquery()
    )
    by_age = (newest.c.due_at, newest.c.created_at)
    turn = func.row_number().over(partition_by=newest.c.newsletter, order_by=by_age)
    placed = select(newest.c.id, newest.c.due_at, turn.label("turn")).subquery()
    # Twice as many as are taken, because another worker may be taking the first of them right now.
    next_ones = select(placed).order_by(placed.c.turn, placed.c.due_at).limit(2 * at_most).subquery()
    return (
        select(Letter.id)
        .join(next_ones, next_ones.c.id == Letter.id)
        .where(outbox.IS_OWED, outbox.is_free(now))
        .order_by(next_ones.c.turn, Letter.due_at)
        .limit(at_most)
        .with_for_update(skip_locked=True, of=Letter)
    )


def _are_waited_for(now: datetime) -> list[ColumnElement[bool]]:
    since = now - WAITED_FOR
    return [
        # Redundant, because no letter is due before it is created: for the index.
        Letter.due_at > since,
        Letter.due_at <= now,
        Letter.created_at > since,
        Letter.kind == LetterKind.CONFIRMATION,
        Letter.deliveries == 0,
        Letter.is_unproven.is_(False),
        outbox.is_free(now),
    ]
