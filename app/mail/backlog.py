"""Counts of letters for monitors and for `jawel doctor`: owed, given up, and refused by the relay."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, bindparam, func, select

from app.mail import retry
from app.outbox import IS_FAILED, IS_OWED, Letter, State

COUNTED = 100_000
"""Counting of owed letters stops here, in order of when they are due."""


@dataclass(frozen=True, slots=True)
class Backlog:
    by_state: Mapping[State, int]
    first_due_at: datetime | None
    """May be in the future. None if no letter is owed."""


def owed(connection: Connection) -> Backlog:
    counted = {row.state: row.letters for row in connection.execute(_OWED_BY_STATE, {"at_most": COUNTED})}
    by_state = {state: counted.get(state, 0) for state in (State.QUEUED, State.DEFERRED)}
    return Backlog(by_state, connection.scalar(_FIRST_DUE))


def failed(connection: Connection) -> int:
    """How many letters were given up or refused for good, up to COUNTED."""
    return connection.scalar(_FAILED) or 0


@dataclass(frozen=True, slots=True)
class RefusedByRelay:
    letters: int
    """Up to COUNTED."""
    reply: str
    """The codes that one of them met."""


def refused_by_relay(connection: Connection) -> RefusedByRelay | None:
    """The letters that wait because the mail server refuses us; None if there is none."""
    found = connection.scalars(_REFUSED_US).all()
    return RefusedByRelay(len(found), (found[0] or "").removeprefix(retry.REFUSED_US)) if found else None


_REFUSED_US = select(Letter.reply).where(IS_OWED, Letter.reply.startswith(retry.REFUSED_US)).limit(COUNTED)
_FAILED_FIRST = select(Letter.id).where(IS_FAILED).order_by(Letter.state_at).limit(COUNTED).subquery()
_FAILED = select(func.count()).select_from(_FAILED_FIRST)
_FIRST_DUE = select(Letter.due_at).where(IS_OWED).order_by(Letter.due_at).limit(1)
_COUNTED = select(Letter.state).where(IS_OWED).order_by(Letter.due_at).limit(bindparam("at_most")).subquery()
_OWED_BY_STATE = select(_COUNTED.c.state, func.count().label("letters")).group_by(_COUNTED.c.state)
