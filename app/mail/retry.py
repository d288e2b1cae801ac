"""Retry of letters: back-off after a temporary failure, and when to give up.

Invariant: only the server's objections to a letter count against it. An unreachable server does not count, and a busy
server only delays the letter: neither ever ends one.
"""

from datetime import timedelta

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from app import clock, outbox
from app.outbox import FREE, Letter, State

BACK_OFF = tuple(timedelta(seconds=seconds) for seconds in (5, 30, 120, 600, 3600))
"""How long to wait after the first, second … failure; the last one repeats."""
GIVE_UP_AFTER = timedelta(days=3)
TRIES = len(BACK_OFF) + (GIVE_UP_AFTER - sum(BACK_OFF, timedelta())) // BACK_OFF[-1] + 1
"""As many as fit into GIVE_UP_AFTER. A letter that had to wait for its first try has no fewer."""
HELD_FOR = timedelta(minutes=5)
"""Longest back-off of a letter for which the server was too busy."""
BUSY = ("421%", "4__ 4.3.1", "4__ 4.3.2", "452 4.5.3", "452")
"""The replies of such a server, as SQL LIKE patterns."""


def postpone(session: Session, letter: Letter, reply: str, wait: timedelta) -> State:
    """After a temporary failure: try again later, or give up after TRIES. Returns the new state.

    `wait` is the minimum delay that the mail server asked for.
    """
    now = clock.now()
    state = State.FAILED if letter.deliveries >= TRIES else State.DEFERRED
    due_at = now + max(_back_off(letter), wait)
    outbox.write(session, letter, **FREE, state=state, state_at=now, due_at=due_at, reply=reply)
    return state


def keep_in_place(session: Session, letter: Letter, reply: str) -> None:
    """After the mail server was not reached: this does not count as a try, and the letter keeps its place."""
    deliveries, now = letter.deliveries - 1, clock.now()
    outbox.write(session, letter, **FREE, state=State.DEFERRED, state_at=now, reply=reply, deliveries=deliveries)


def hold(session: Session, letter: Letter, reply: str, wait: timedelta) -> None:
    """After the mail server was too busy: later, and behind the others, because this letter may be the cause."""
    now = clock.now()
    due_at = now + max(min(_back_off(letter), HELD_FOR), wait)
    deliveries = min(letter.deliveries, len(BACK_OFF))
    outbox.write(
        session, letter, **FREE, state=State.DEFERRED, state_at=now, due_at=due_at, reply=reply, deliveries=deliveries
    )


def release_held(session: Session) -> int:
    """Makes held letters due at once, in their old order and with all their tries. Returns how many."""
    now = clock.now()
    is_held = (Letter.state == State.DEFERRED) & or_(*map(Letter.reply.like, BUSY))
    held = select(Letter.id).where(outbox.IS_OWED, is_held, Letter.due_at > now, outbox.is_free(now))
    taken = update(Letter).where(Letter.id.in_(held.with_for_update(skip_locked=True)))
    return len(session.scalars(taken.values(due_at=Letter.created_at, deliveries=0).returning(Letter.id)).all())


def _back_off(letter: Letter) -> timedelta:
    return BACK_OFF[min(letter.deliveries, len(BACK_OFF)) - 1]
