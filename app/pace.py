"""How long an answer takes must not tell what it was about.

A request that has less to write is done sooner, and whoever measures that learns something of the address. So it takes
as long as one of those lately that wrote for each newsletter, chosen by chance: then both spread alike. Only requests
that are done early wait, and only for what they saved. Who wrote for each does not: of two times by chance, its own and
another's, the longer one would stand out.
"""

import random
import threading
import time
from collections import deque

KEPT = 100
OVERSLEPT_SECONDS = 0.0001
"""A thread that sleeps is woken so much later than it asked for."""
LONGEST_SECONDS = 0.1
"""Nobody waits longer, however slow the machine was a moment ago."""


class Pace:
    """What this process knows of its own speed, by the size of a request: how many newsletters it asks for."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lately: dict[int, deque[float]] = {}

    def remember(self, size: int, seconds: float) -> None:
        """One that wrote for each newsletter."""
        with self._lock:
            self._lately.setdefault(size, deque(maxlen=KEPT)).append(seconds)

    def fall_in(self, size: int, seconds: float) -> None:
        """Wait, where one that wrote less would be done too soon."""
        with self._lock:
            expected = self._expected(size)
        time.sleep(min(LONGEST_SECONDS, max(0.0, expected - seconds - OVERSLEPT_SECONDS)))

    def _expected(self, size: int) -> float:
        """Of a size that nobody asked for lately, as much more as there is more to write. 0 where nothing is known."""
        if not self._lately:
            return 0.0
        nearest = min(self._lately, key=lambda known: abs(known - size))
        return random.choice(self._lately[nearest]) * size / nearest  # noqa: S311 - a sample, no secret
