"""Clock check: whether the clock is reliable enough for erasure.

Erasure is irreversible, and only the clock says when it is due. So the clock is compared with three other sources: the
database's clock, the time that this process has run, and the newest event. Invariant: while one of them contradicts the
clock, nothing is erased. Everything else goes on by the clock as it is.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

import structlog
from sqlalchemy import Connection, func, select

from app import clock
from app.clock import ClockShift
from app.database import Database
from app.ledger.last_written import last_written

log = structlog.get_logger()

APART = timedelta(minutes=1)
"""Maximum difference from the database's clock, read at the same moment."""
JUMP = timedelta(minutes=50)
"""Tolerance for jumps, and against the newest event: wrong clocks are mostly wrong by whole hours, or by far more."""
SETTLED_BEHIND = timedelta(hours=1)
"""NTP polls again within 34 minutes (2^11 s). By a clock that was set back, nothing is due that was not due before."""
SETTLED_AHEAD = timedelta(days=1)
"""Time for the operator to notice: a clock that was set ahead makes everything due too early."""


class DoubtKind(StrEnum):
    APART = "apart"
    JUMPED = "jumped"
    BEHIND = "behind"


_WORDS = {
    DoubtKind.APART: "the clock is {seconds:,} s {direction} of the database's",
    DoubtKind.JUMPED: "the clock was set {seconds:,} s {direction} while the worker ran",
    DoubtKind.BEHIND: "the clock is {seconds:,} s behind what was written last",
}


_REMEDIES = {
    DoubtKind.APART: "Set both by NTP",
    DoubtKind.JUMPED: "Set it by NTP",
    DoubtKind.BEHIND: "Set it by NTP; if it is right, the clock was ahead then, and the next event ends this",
}


@dataclass(frozen=True, slots=True)
class Doubt:
    kind: DoubtKind
    by: timedelta
    """Negative if the clock is behind."""

    def __str__(self) -> str:
        direction = "behind" if self.by < timedelta() else "ahead"
        if self.kind is DoubtKind.JUMPED:
            direction = "back" if self.by < timedelta() else "ahead"
        return _WORDS[self.kind].format(seconds=round(abs(self.by.total_seconds())), direction=direction)

    @property
    def remedy(self) -> str:
        return _REMEDIES[self.kind]


Witness = Callable[[Connection], Doubt | None]


class ClockCheck:
    """Checks the clock of one process from its start; jumps before that are unknown to it."""

    def __init__(self, witnesses: Sequence[Witness]) -> None:
        self._witnesses = witnesses
        self._doubted: DoubtKind | None = None

    @classmethod
    def of_now(cls) -> "ClockCheck":
        return cls([apart_from_the_database, Jumps(), StartCheck()])

    def is_reliable(self, database: Database) -> bool:
        """Whether erasure by the clock is safe now. A doubt is logged once when it arises, and once when it ends."""
        with database.read_only() as connection:
            doubt = next(filter(None, (witness(connection) for witness in self._witnesses)), None)
        kind = doubt.kind if doubt else None
        if doubt and kind is not self._doubted:
            log.error("housekeeping.waits", reason=str(doubt), seconds=round(doubt.by.total_seconds()))
        if self._doubted and not doubt:
            log.info("housekeeping.goes_on")
        self._doubted = kind
        return doubt is None


def doubt(connection: Connection) -> Doubt | None:
    """The doubt about the clock of a process that has only just started, if any."""
    return apart_from_the_database(connection) or behind_what_was_written(connection)


def ahead_of_the_database(connection: Connection) -> timedelta | None:
    """Negative if the clock is behind; None on SQLite, which has no clock of its own."""
    if connection.dialect.name == "sqlite":
        return None
    before = clock.now()
    theirs: datetime = connection.execute(select(func.clock_timestamp())).scalar_one()
    # A process that is paused during the query must not count the pause as a difference.
    return before - theirs if theirs < before else min(timedelta(), clock.now() - theirs)


def apart_from_the_database(connection: Connection) -> Doubt | None:
    ahead = ahead_of_the_database(connection)
    return Doubt(DoubtKind.APART, ahead) if ahead is not None and abs(ahead) > APART else None


def behind_what_was_written(connection: Connection) -> Doubt | None:
    written = last_written(connection)
    ahead = clock.now() - written if written else timedelta()
    return Doubt(DoubtKind.BEHIND, ahead) if ahead < -JUMP else None


class Jumps:
    """Compares the clock with the time that this process has run. A jump is accepted once it has lasted for a while."""

    def __init__(self) -> None:
        self._clock_shift = ClockShift()
        self._jump = timedelta()
        self._since = clock.steady()

    def __call__(self, _connection: Connection) -> Doubt | None:
        jump = self._clock_shift.far()
        if abs(jump) < JUMP:
            self._jump = timedelta()
            return None
        if abs(jump - self._jump) >= JUMP:
            self._jump, self._since = jump, clock.steady()
        settled = SETTLED_BEHIND if jump < timedelta() else SETTLED_AHEAD
        if clock.steady() - self._since >= settled.total_seconds():
            self._clock_shift.accept()
            return None
        return Doubt(DoubtKind.JUMPED, jump)


class StartCheck:
    """Compares the clock at process start with the newest event; afterwards `Jumps` suffices."""

    def __init__(self) -> None:
        self._begun = clock.steady()
        self._is_over = False

    def __call__(self, connection: Connection) -> Doubt | None:
        doubt = None if self._is_over else behind_what_was_written(connection)
        self._is_over = doubt is None or clock.steady() - self._begun >= SETTLED_BEHIND.total_seconds()
        return None if self._is_over else doubt
