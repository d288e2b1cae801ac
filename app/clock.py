"""The one place that reads the time.

What is kept in rows is the clock's, and so are the windows that all processes share. A pause or patience of a process
goes by `steady`: clocks are set, by people and by NTP, and nothing must wait for as long as they were wrong.
"""

import time
from datetime import UTC, datetime, timedelta

AHEAD = timedelta(minutes=1)
"""An instant in a row that is later than that from now, and was to be no later than now, is of a clock that was ahead:
those of several machines are hardly as far apart."""

# It counts on while the machine sleeps, as the clock does; time.monotonic() does not.
_STEADY = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def seconds() -> int:
    """Whole seconds since 1970."""
    return int(time.time())


def now() -> datetime:
    """The present instant in UTC, cut to the millisecond, which is what evidence records."""
    instant = datetime.now(UTC)
    return instant.replace(microsecond=instant.microsecond // 1000 * 1000)


def steady() -> float:
    """Seconds since some instant, which go on evenly whatever the clock is set to."""
    return time.clock_gettime(_STEADY)


class Strides:
    """How far the clock was set, forward or back, since this began to count."""

    def __init__(self) -> None:
        self._begun = now() - timedelta(seconds=steady())

    def far(self) -> timedelta:
        """Negative where it was set back."""
        return now() - timedelta(seconds=steady()) - self._begun

    def accept(self) -> None:
        """Count from here."""
        self._begun = now() - timedelta(seconds=steady())
