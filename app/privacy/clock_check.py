"""Whether the clock is good enough to erase by.

What is erased does not come back, and that its time has come is the clock's word alone. So it is held against what else
tells the time: the database's clock, how long this process has run, what was written last. While one of them speaks
against it, nothing is erased. All else goes on by the clock as it is.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

import structlog
from sqlalchemy import Connection, func, select

from app import clock
from app.clock import Strides
from app.database import Database
from app.ledger.last_written import last_written

log = structlog.get_logger()

APART = timedelta(minutes=1)
"""From the database's clock, which is asked in the same moment."""
JUMP = timedelta(minutes=50)
"""Clocks that are wrong are so by whole hours mostly, or by far more."""
SETTLED_BEHIND = timedelta(hours=1)
"""NTP looks again within 34 minutes (2^11 s). Whatever is due by a clock that was set back was due before."""
SETTLED_AHEAD = timedelta(days=1)
"""For somebody to notice: by a clock that was set ahead, all that is due until then is due too early."""


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
    """Negative where the clock is behind."""

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
    """Of one process, from its start. Knows nothing of what the clock did before."""

    def __init__(self, witnesses: Sequence[Witness]) -> None:
        self._witnesses = witnesses
        self._doubted: DoubtKind | None = None

    @classmethod
    def of_now(cls) -> "ClockCheck":
        return cls([apart_from_the_database, Jumps(), Beginning()])

    def vouches(self, database: Database) -> bool:
        """Whether to erase by the clock now. What speaks against it is logged once, and once when that is over."""
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
    """What speaks against the clock of a process that has only just begun."""
    return apart_from_the_database(connection) or behind_what_was_written(connection)


def ahead_of_the_database(connection: Connection) -> timedelta | None:
    """Negative where the clock is behind; None on SQLite, which has none but ours."""
    if connection.dialect.name == "sqlite":
        return None
    before = clock.now()
    theirs: datetime = connection.execute(select(func.clock_timestamp())).scalar_one()
    # A process that is stopped while it asks must not take that for a difference.
    return before - theirs if theirs < before else min(timedelta(), clock.now() - theirs)


def apart_from_the_database(connection: Connection) -> Doubt | None:
    ahead = ahead_of_the_database(connection)
    return Doubt(DoubtKind.APART, ahead) if ahead is not None and abs(ahead) > APART else None


def behind_what_was_written(connection: Connection) -> Doubt | None:
    written = last_written(connection)
    ahead = clock.now() - written if written else timedelta()
    return Doubt(DoubtKind.BEHIND, ahead) if ahead < -JUMP else None


class Jumps:
    """The clock against the time that this process has run. A jump is believed once it has stood for a while."""

    def __init__(self) -> None:
        self._strides = Strides()
        self._jump = timedelta()
        self._since = clock.steady()

    def __call__(self, _connection: Connection) -> Doubt | None:
        jump = self._strides.far()
        if abs(jump) < JUMP:
            self._jump = timedelta()
            return None
        if abs(jump - self._jump) >= JUMP:
            self._jump, self._since = jump, clock.steady()
        settled = SETTLED_BEHIND if jump < timedelta() else SETTLED_AHEAD
        if clock.steady() - self._since >= settled.total_seconds():
            self._strides.accept()
            return None
        return Doubt(DoubtKind.JUMPED, jump)


class Beginning:
    """The clock at the beginning against what was written last; later the process itself knows how it went on."""

    def __init__(self) -> None:
        self._begun = clock.steady()
        self._is_over = False

    def __call__(self, connection: Connection) -> Doubt | None:
        doubt = None if self._is_over else behind_what_was_written(connection)
        self._is_over = doubt is None or clock.steady() - self._begun >= SETTLED_BEHIND.total_seconds()
        return None if self._is_over else doubt
