"""A letter that was not delivered and is still owed: when it is tried again, and when no more.

What counts against a letter is what the server had against it. That the server was away counts for nothing, and that
it was too busy only makes the letter wait: neither ever ends one.
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
"""As many as fit into that. A letter that had to wait for its first one has no fewer."""
HELD_FOR = timedelta(minutes=5)
"""So long at most waits a letter that the server was too busy for."""
BUSY = ("421%", "4__ 4.3.1", "4__ 4.3.2", "452 4.5.3", "452")
"""The replies of such a server, as patterns."""


def postpone(session: Session, letter: Letter, reply: str, wait: timedelta) -> State:
    """After a temporary failure: try again later, or give up after TRIES. Returns the state it is left in.

    `wait` is the least that the mail server asked for.
    """
    now = clock.now()
    state = State.FAILED if letter.deliveries >= TRIES else State.DEFERRED
    due_at = now + max(_back_off(letter), wait)
    outbox.write(session, letter, **FREE, state=state, state_at=now, due_at=due_at, reply=reply)
    return state


def keep_in_place(session: Session, letter: Letter, reply: str) -> None:
    """The mail server was not even reached: that was no try, and the letter stays first in turn."""
    deliveries, now = letter.deliveries - 1, clock.now()
    outbox.write(session, letter, **FREE, state=State.DEFERRED, state_at=now, reply=reply, deliveries=deliveries)


def hold(session: Session, letter: Letter, reply: str, wait: timedelta) -> None:
    """The mail server was too busy: later, and behind the others, for it may be because of this letter."""
    now = clock.now()
    due_at = now + max(min(_back_off(letter), HELD_FOR), wait)
    deliveries = min(letter.deliveries, len(BACK_OFF))
    outbox.write(
        session, letter, **FREE, state=State.DEFERRED, state_at=now, due_at=due_at, reply=reply, deliveries=deliveries
    )


def take_up(session: Session) -> int:
    """What was held is due at once, in its old place, and has as many tries as if none had been. Returns how many."""
    now = clock.now()
    is_held = (Letter.state == State.DEFERRED) & or_(*map(Letter.reply.like, BUSY))
    held = select(Letter.id).where(outbox.IS_OWED, is_held, Letter.due_at > now, outbox.is_free(now))
    taken = update(Letter).where(Letter.id.in_(held.with_for_update(skip_locked=True)))
    return len(session.scalars(taken.values(due_at=Letter.created_at, deliveries=0).returning(Letter.id)).all())


def _back_off(letter: Letter) -> timedelta:
    return BACK_OFF[min(letter.deliveries, len(BACK_OFF)) - 1]
