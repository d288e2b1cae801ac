"""Whether the mail server is to be troubled: after it was away or busy, a worker rests, then tries one letter.

Held in the worker's memory: another process finds out by itself, with one letter. Safe for several threads.
"""

import threading
import time
from collections.abc import Callable
from datetime import timedelta

REST = tuple(timedelta(seconds=seconds) for seconds in (5, 30, 120, 300))
"""After the first, second … failure in a row; the last one repeats."""
OUTAGE = 2
"""So many failures in a row are not the fault of one letter that the server hangs up on."""


class CircuitBreaker:
    def __init__(self, steady: Callable[[], float] = time.monotonic) -> None:
        """`steady` counts seconds, whatever the clock is set to."""
        self._steady = steady
        self._lock = threading.Lock()
        self._failures = 0
        self._rests_until: float | None = None

    def room(self, at_most: int) -> int:
        """How many letters to try now: none while it rests, one to see whether the server is back, else all."""
        with self._lock:
            if self._rests_until is None:
                return at_most
            return 0 if self._steady() < self._rests_until else min(1, at_most)

    def failed(self) -> timedelta:
        """Returns for how long to let it be."""
        with self._lock:
            rest = REST[min(self._failures, len(REST) - 1)]
            self._failures += 1
            self._rests_until = self._steady() + rest.total_seconds()
            return rest

    def worked(self) -> bool:
        """True where an outage is over by it."""
        with self._lock:
            was_away = self._failures >= OUTAGE
            self._failures, self._rests_until = 0, None
            return was_away
