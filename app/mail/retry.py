"""Retry of letters: back-off after a temporary failure, and when to give up.

Invariant: only the server's objections to a letter count against it. A server that is unreachable, busy, or refuses us
only delays the letter, for up to RELAY_WITHIN.
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
"""Longest back-off of a letter for which the server was too busy, or by which it refused us."""
RELAY_WITHIN = timedelta(days=7)
"""How long a letter waits for its relay."""
UNANSWERED_APART = timedelta(hours=1)
MOST_UNANSWERED = 3
"""Each of them may have arrived."""
NO_ANSWER = "no answer"
REFUSED_US = "relay "
"""Begins the kept reply of a relay that refuses us: it is not about the letter."""
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


def keep_in_place(session: Session, letter: Letter, reply: str) -> State:
    """After the mail server was not reached: this does not count as a try, and the letter keeps its place."""
    return _wait_for_relay(session, letter, reply=reply, deliveries=letter.deliveries - 1)


def hold(session: Session, letter: Letter, reply: str, wait: timedelta) -> State:
    """After the mail server was too busy: later, and behind the others, because this letter may be the cause."""
    due_at = clock.now() + max(min(_back_off(letter), HELD_FOR), wait)
    return _wait_for_relay(
        session, letter, reply=reply, deliveries=min(letter.deliveries, len(BACK_OFF)), due_at=due_at
    )


def step_back(session: Session, letter: Letter, reply: str) -> State:
    """After the mail server refused us: not a try, and behind the others, as it may be because of this one's domain."""
    due_at = clock.now() + HELD_FOR
    return _wait_for_relay(
        session, letter, reply=f"{REFUSED_US}{reply}", deliveries=letter.deliveries - 1, due_at=due_at
    )


def _wait_for_relay(session: Session, letter: Letter, **values: object) -> State:
    now = clock.now()
    state = State.FAILED if now - letter.created_at > RELAY_WITHIN else State.DEFERRED
    outbox.write(session, letter, **FREE, state=state, state_at=now, **values)
    return state


def note_unanswered(session: Session, letter: Letter) -> None:
    """The content was sent: from now on the letter is not tried again within the hour, even if this worker dies.

    The lease stays, for a reply that comes late.
    """
    letter.unanswered += 1
    due_at = clock.now() + UNANSWERED_APART
    outbox.write(session, letter, unanswered=letter.unanswered, due_at=due_at, reply=NO_ANSWER)


def note_answer(session: Session, letter: Letter) -> None:
    """A reply came after all, whatever it says."""
    letter.unanswered -= 1
    outbox.write(session, letter, unanswered=letter.unanswered)


def leave_unanswered(session: Session, letter: Letter) -> State:
    """No reply came to a letter that is noted as unanswered. Returns the state it is left in."""
    now = clock.now()
    state = State.FAILED if letter.unanswered >= MOST_UNANSWERED else State.DEFERRED
    noted = {"unanswered": letter.unanswered, "due_at": now + UNANSWERED_APART, "reply": NO_ANSWER}
    outbox.write(session, letter, **FREE, **noted, state=state, state_at=now)
    return state


def release_held(session: Session) -> int:
    """Makes held letters due at once, in their old order and with all their tries. Returns how many."""
    now = clock.now()
    is_held = (Letter.state == State.DEFERRED) & or_(*map(Letter.reply.like, BUSY))
    held = select(Letter.id).where(outbox.IS_OWED, is_held, Letter.due_at > now, outbox.is_free(now))
    taken = update(Letter).where(Letter.id.in_(held.with_for_update(skip_locked=True)))
    return len(session.scalars(taken.values(due_at=Letter.created_at, deliveries=0).returning(Letter.id)).all())


def _back_off(letter: Letter) -> timedelta:
    return BACK_OFF[min(letter.deliveries, len(BACK_OFF)) - 1]
