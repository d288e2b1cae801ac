"""Letters in progress: claimed by this worker, and waiting for a connection, on one, or accepted and not yet recorded.

Invariant: oldest first within a domain; a domain has more than half of the connections only while no other waits for
one and its letters are quick. So a domain for which the relay takes its time delays no other.
"""

import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from app.mail.acceptance import AcceptedLetter
from app.mail.owed import Owed
from app.outbox import Letter

SLOW_SECONDS = 2.0
BATCH = 20
BATCH_SECONDS = 0.2
"""So many accepted letters are recorded together, or those of that time."""
MOST_UNRECORDED = 2 * BATCH
"""With more, no letter is begun: a worker that dies repeats them."""
MOST_DOMAINS = 1000


@dataclass(slots=True, eq=False)
class ClaimedLetter:
    """A letter, and its recipient as looked up at that monotonic instant."""

    owed: Owed
    looked_up_at: float = field(default_factory=time.monotonic)
    begun_at: float = 0.0

    @property
    def letter(self) -> Letter:
        return self.owed.letter

    @property
    def domain(self) -> str:
        return self.owed.address.canonical.rpartition("@")[2]


class InProgress:
    """Thread-safe: one thread claims and records, and one for each connection takes letters and finishes them."""

    def __init__(self, connections: int) -> None:
        self._connections = connections
        lock = threading.Lock()
        self._changed = threading.Condition(lock)
        """For the connections: there are letters, or a domain has a connection less."""
        self._wanted = threading.Condition(lock)
        """For the thread that claims: letters are to be recorded, or claimed."""
        self._stock = connections
        self._waiting: list[ClaimedLetter] = []
        self._begun: list[ClaimedLetter] = []
        self._accepted: list[AcceptedLetter] = []
        self._accepted_since = 0.0
        self._quick: set[str] = set()
        self._error: Exception | None = None
        self._is_closed = False

    def add(self, letters: Sequence[ClaimedLetter]) -> None:
        """In the order in which they were claimed: one that comes back keeps its place."""
        with self._changed:
            self._waiting = sorted([*self._waiting, *letters], key=lambda each: each.looked_up_at)
            self._changed.notify_all()

    def take(self) -> ClaimedLetter | None:
        """The next letter for a connection, once there is one. None once this is closed."""
        with self._changed:
            while not self._is_closed:
                if found := self._next():
                    self._waiting.remove(found)
                    self._begun.append(found)
                    found.begun_at = time.monotonic()
                    if len(self._waiting) < self._stock:
                        self._wanted.notify()
                    return found
                self._changed.wait()
            return None

    def _next(self) -> ClaimedLetter | None:
        if len(self._accepted) >= MOST_UNRECORDED:
            return None
        taken = Counter(each.domain for each in self._begun)
        half = max(1, self._connections // 2)
        below_half = (each for each in self._waiting if taken[each.domain] < half)
        quick = (each for each in self._waiting if self._is_quick(each.domain))
        return next(below_half, None) or next(quick, None)

    def _is_quick(self, domain: str) -> bool:
        since = time.monotonic() - SLOW_SECONDS
        return domain in self._quick and all(each.begun_at > since for each in self._begun if each.domain == domain)

    def finish(self, claimed: ClaimedLetter, accepted: AcceptedLetter | None) -> None:
        """A connection is done with the letter. Unless the server accepted it, its state is written already."""
        now = time.monotonic()
        with self._changed:
            self._begun.remove(claimed)
            if len(self._quick) > MOST_DOMAINS:
                self._quick.clear()
            (self._quick.add if now - claimed.begun_at < SLOW_SECONDS else self._quick.discard)(claimed.domain)
            if accepted:
                self._accepted_since = self._accepted_since if self._accepted else now
                self._accepted.append(accepted)
            self._changed.notify_all()
            if self._is_due() or not self._is_busy():
                self._wanted.notify()

    def fail(self, error: Exception) -> None:
        """The thread that claims raises it."""
        with self._changed:
            self._error = self._error or error
            self._wanted.notify()

    def raise_error(self) -> None:
        error, self._error = self._error, None
        if error:
            raise error

    def withdraw(self) -> list[Letter]:
        """Those that wait: no connection will begin them any more."""
        with self._changed:
            withdrawn, self._waiting = self._waiting, []
            self._changed.notify_all()
            return [each.letter for each in withdrawn]

    def due(self) -> list[AcceptedLetter]:
        """Accepted letters that are due to be recorded; none before."""
        with self._changed:
            return [*self._accepted] if self._is_due() else []

    def forget(self, recorded: Sequence[AcceptedLetter]) -> None:
        """The first ones of those accepted."""
        with self._changed:
            del self._accepted[: len(recorded)]
            self._accepted_since = time.monotonic()
            self._changed.notify_all()

    def _is_due(self) -> bool:
        is_full = len(self._accepted) >= BATCH or time.monotonic() >= self._accepted_since + BATCH_SECONDS
        return bool(self._accepted) and (is_full or not self._is_busy())

    def _is_busy(self) -> bool:
        return bool(self._waiting or self._begun)

    def is_busy(self) -> bool:
        """Whether a letter waits for a connection, or is on one."""
        with self._changed:
            return self._is_busy()

    def is_short(self, stock: int) -> bool:
        """Whether fewer letters than that wait for a connection, so that one might soon have nothing to do."""
        self._stock = max(stock, self._connections)
        return len(self._waiting) < self._stock

    def await_change(self, seconds: float) -> None:
        """Until accepted letters are due to be recorded, or letters are short; at most for that long."""
        with self._changed:
            if self._accepted:
                seconds = min(seconds, self._accepted_since + BATCH_SECONDS - time.monotonic())
            if not self._is_due() and not self._error:
                self._wanted.wait(max(0.0, seconds))

    def close(self) -> None:
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
