"""The one place that reads the time.

Instants in rows, and windows that all processes share, use the wall clock. A process's pauses and time-outs use
`steady`: people and NTP set clocks, and nothing must wait for as long as they were wrong.
"""

import time
from datetime import UTC, datetime, timedelta

AHEAD = timedelta(minutes=1)
"""Tolerance between the clocks of several machines: an instant in a row that should be past, but is further ahead
than this, was written by a clock that was ahead."""

# Goes on while the machine sleeps, as the wall clock does; time.monotonic() does not.
_STEADY = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def seconds() -> int:
    """Whole seconds since 1970."""
    return int(time.time())


def now() -> datetime:
    """The present instant in UTC, truncated to the millisecond, which is what evidence records."""
    instant = datetime.now(UTC)
    return instant.replace(microsecond=instant.microsecond // 1000 * 1000)


def steady() -> float:
    """Seconds since some instant, unaffected by setting the clock."""
    return time.clock_gettime(_STEADY)


class ClockShift:
    """How far the wall clock was set, forward or back, since creation or `accept`."""

    def __init__(self) -> None:
        self._begun = now() - timedelta(seconds=steady())

    def far(self) -> timedelta:
        """Negative if it was set back."""
        return now() - timedelta(seconds=steady()) - self._begun

    def accept(self) -> None:
        """Measure from now on."""
        self._begun = now() - timedelta(seconds=steady())
