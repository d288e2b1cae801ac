"""Circuit breaker for the SMTP relay: after a failure back off, then probe with one letter.

Held in the worker's memory: another process finds out by itself, with one letter. Thread-safe.
"""

import threading
import time
from collections.abc import Callable
from datetime import timedelta

REST = tuple(timedelta(seconds=seconds) for seconds in (5, 30, 120, 300))
"""Back-off after the first, second … failure in a row; the last one repeats."""
OUTAGE = 2
"""Failures in a row that count as an outage: fewer may be due to one letter on which the server hangs up."""


class CircuitBreaker:
    def __init__(self, steady: Callable[[], float] = time.monotonic) -> None:
        """`steady` returns monotonic seconds, independent of the system clock."""
        self._steady = steady
        self._lock = threading.Lock()
        self._failures = 0
        self._rests_until: float | None = None

    def room(self, at_most: int) -> int:
        """How many letters to try now: none during back-off, then one as a probe, else all."""
        with self._lock:
            if self._rests_until is None:
                return at_most
            return 0 if self._rests() else min(1, at_most)

    def failed(self) -> timedelta:
        """Returns the back-off that is left. Letters that were under way when it began do not lengthen it."""
        with self._lock:
            if not self._rests():
                rest = REST[min(self._failures, len(REST) - 1)]
                self._failures += 1
                self._rests_until = self._steady() + rest.total_seconds()
            return timedelta(seconds=max(0.0, (self._rests_until or 0.0) - self._steady()))

    def worked(self) -> bool:
        """True if this ends an outage. A letter that was under way when the back-off began does not end it."""
        with self._lock:
            if self._rests():
                return False
            was_away = self._failures >= OUTAGE
            self._failures, self._rests_until = 0, None
            return was_away

    def _rests(self) -> bool:
        return self._rests_until is not None and self._steady() < self._rests_until
