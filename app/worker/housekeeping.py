"""Purges expired rows in small steps that leave room for other work, for a bounded time each round.

Chores run round-robin, a step each, so that none waits for the end of a large one. If a round's time ends before all
is done, the next round follows at once and begins with the next chore, by the catalogue of that time.
"""

import threading
import time
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from app import clock, kept_answers
from app.abuse import rate_limit
from app.database import is_away
from app.ledger import sealing
from app.mail import throttle
from app.privacy import retention
from app.privacy.retention import Chore
from app.resources import Resources
from app.subscriptions import mailbox_backfill

log = structlog.get_logger()

Name = tuple[str, str | None]
"""A chore's kind and newsletter: the chore object itself is created anew for each round."""

EVERY_SECONDS = 60
ROUND_SECONDS = 10
TROUBLE_SECONDS = 5
UNSEALED_AT_MOST = 1000
"""With more unsealed events a step waits: the events that a purge writes must not outrun the sealer."""
HOLDING_BACK_SECONDS = (0.1,) * 10
"""Pauses for the sealer, a second in all: if sealing is refused, erasure goes on."""
COUNTS_OF_REQUESTS = "rate_limits.forgotten"
ALLOWANCES = "allowances.forgotten"
ANSWERS = "kept_answers.forgotten"
UNTOLD = (COUNTS_OF_REQUESTS, ALLOWANCES, ANSWERS)
"""Not logged: they concern no person, and are purged all the time."""


def purge_all_due(resources: Resources) -> None:
    """Purge all that is due, except rows locked by other processes. Does nothing while the clock is in doubt."""
    if not resources.clock_check.is_reliable(resources.database):
        return
    purged: Counter[Chore] = Counter()
    for chore in _chores(resources):
        with _isolate_failures(chore):
            purged[chore] = retention.carry_out(resources.database, chore)
    _tell(purged)
    resources.database.scrub()


class Housekeeper:
    """Goes on where its last round ended, and skips a finished chore for a minute."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._next: Name | None = None
        self._done_at: dict[Name, float] = {}
        self._scrubbed_at = float("-inf")

    def run(self, stop: threading.Event) -> None:
        while not stop.is_set():
            try:
                is_done = self.round(stop)
            except Exception as error:
                # Usually the database is down.
                log.error("worker.housekeeping_failed", kind=type(error).__name__)
                stop.wait(TROUBLE_SECONDS)
            else:
                stop.wait(EVERY_SECONDS if is_done else 0)

    def round(self, stop: threading.Event) -> bool:
        """Run steps, at least one, until ROUND_SECONDS are over or `stop` is set. True if none is left to do."""
        if not self._resources.clock_check.is_reliable(self._resources.database):
            return True
        ends_at = time.monotonic() + ROUND_SECONDS
        waiting, purged = self._waiting(), Counter[Chore]()
        try:
            while waiting and not stop.is_set():
                self._step(waiting, purged, stop)
                if time.monotonic() >= ends_at:
                    break
        finally:
            self._next = _name(waiting[0]) if waiting else None
            _tell(purged)
        if not stop.is_set():
            self._scrub(is_done=not waiting)
        return not waiting

    def _waiting(self) -> deque[Chore]:
        """The due chores, in order from the next one."""
        chores = deque(_chores(self._resources))
        names = [_name(chore) for chore in chores]
        if self._next in names:
            chores.rotate(-names.index(self._next))
        lately = time.monotonic() - EVERY_SECONDS
        return deque(chore for chore in chores if self._done_at.get(_name(chore), lately) <= lately)

    def _step(self, waiting: deque[Chore], purged: Counter[Chore], stop: threading.Event) -> None:
        """Run a step of the first chore; it goes behind the others if it may have more to do."""
        self._let_the_sealer_catch_up(stop)
        chore, done = waiting[0], 0
        with _isolate_failures(chore):
            done = retention.step(self._resources.database, chore, stop.wait)
        waiting.popleft()
        purged[chore] += done
        if retention.goes_on(self._resources.database, done):
            waiting.append(chore)
        else:
            self._done_at[_name(chore)] = time.monotonic()

    def _let_the_sealer_catch_up(self, stop: threading.Event) -> None:
        for seconds in HOLDING_BACK_SECONDS:
            with self._resources.database.read_only() as connection:
                if not sealing.are_waiting(connection, more_than=UNSEALED_AT_MOST):
                    return
            stop.wait(seconds)

    def _scrub(self, *, is_done: bool) -> None:
        """Scrubbing blocks writers, so during a large purge it is not done after each round."""
        if is_done or time.monotonic() >= self._scrubbed_at + EVERY_SECONDS:
            self._resources.database.scrub()
            self._scrubbed_at = time.monotonic()


def _chores(resources: Resources) -> Iterator[Chore]:
    key = resources.settings.suppression_key
    yield from retention.chores(resources.catalogue.get())
    yield Chore(COUNTS_OF_REQUESTS, lambda session, at_most: rate_limit.purge(session, clock.now(), at_most=at_most))
    yield Chore(ALLOWANCES, lambda session, at_most: throttle.purge(session, clock.now(), at_most=at_most))
    yield Chore(ANSWERS, lambda session, at_most: kept_answers.purge(session, clock.now(), at_most=at_most))
    # Once after an upgrade; later there is nothing to do.
    yield Chore(
        "mailboxes.completed", lambda session, at_most: mailbox_backfill.complete(session, key, at_most=at_most)
    )


def _name(chore: Chore) -> Name:
    return chore.kind, chore.newsletter


@contextmanager
def _isolate_failures(chore: Chore) -> Iterator[None]:
    """A failed chore is retried at the next round, and delays no other. Raises if the database is down."""
    try:
        yield
    except Exception as error:
        if is_away(error):
            raise
        log.error("worker.chore_failed", chore=chore.kind, newsletter=chore.newsletter, kind=type(error).__name__)


def _tell(purged: Counter[Chore]) -> None:
    for chore, count in purged.items():
        if count and chore.kind not in UNTOLD:
            log.info(chore.kind, newsletter=chore.newsletter, count=count)
