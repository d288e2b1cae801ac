"""Counts of letters for monitors and for `jawel doctor`: owed, given up, and refused by the relay."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, bindparam, func, select

from app.mail import retry
from app.outbox import IS_FAILED, IS_OWED, OWED, Letter, State

COUNTED = 100_000
"""Counting of owed letters stops here, in order of when they are due."""


@dataclass(frozen=True, slots=True)
class Backlog:
    by_state: Mapping[State, int]
    first_due_at: datetime | None
    """May be in the future. None if no letter is owed."""
    refused_by_relay: int
    """Those that wait because the mail server refuses us."""
    refusal: str
    """The codes that one of them met; empty if there is none."""


def owed(connection: Connection) -> Backlog:
    counted = {row.state: row for row in connection.execute(_OWED_BY_STATE, {"at_most": COUNTED})}
    by_state = {state: counted[state].letters if state in counted else 0 for state in OWED}
    refusal = max((row.refusal or "" for row in counted.values()), default="")
    return Backlog(
        by_state=by_state,
        first_due_at=connection.scalar(_FIRST_DUE),
        refused_by_relay=sum(row.refused for row in counted.values()),
        refusal=refusal.removeprefix(retry.REFUSED_US),
    )


def failed(connection: Connection) -> int:
    """How many letters were given up or refused for good, up to COUNTED."""
    return connection.scalar(_FAILED) or 0


_FAILED_FIRST = select(Letter.id).where(IS_FAILED).order_by(Letter.state_at).limit(COUNTED).subquery()
_FAILED = select(func.count()).select_from(_FAILED_FIRST)
_FIRST_DUE = select(Letter.due_at).where(IS_OWED).order_by(Letter.due_at).limit(1)
_FIRST = (
    select(Letter.state, Letter.reply).where(IS_OWED).order_by(Letter.due_at).limit(bindparam("at_most")).subquery()
)
_IS_REFUSAL = _FIRST.c.reply.startswith(retry.REFUSED_US)
_OWED_BY_STATE = select(
    _FIRST.c.state,
    func.count().label("letters"),
    func.count().filter(_IS_REFUSAL).label("refused"),
    func.max(_FIRST.c.reply).filter(_IS_REFUSAL).label("refusal"),
).group_by(_FIRST.c.state)
