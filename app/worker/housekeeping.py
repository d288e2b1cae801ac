"""Keeps the house: what is kept no longer is purged, in small steps that leave room, for a bounded time each round.

The chores take turns, a step each, so that none waits for the end of a large one. Where a round's time is over before
all is done, the next follows at once and begins with the chore whose turn it is, by what the catalogue says by then.
"""

import threading
import time
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from app import clock
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
"""A chore's kind and newsletter: the chore itself is made anew for each round."""

EVERY_SECONDS = 60
ROUND_SECONDS = 10
TROUBLE_SECONDS = 5
UNSEALED_AT_MOST = 1000
"""More events than these are let be sealed first: what a purge writes must not outrun the sealer."""
HOLDING_BACK_SECONDS = (0.1,) * 10
"""No longer than that in all: where sealing is refused, erasure goes on."""
COUNTS_OF_REQUESTS = "rate_limits.forgotten"
ALLOWANCES = "allowances.forgotten"
UNTOLD = (COUNTS_OF_REQUESTS, ALLOWANCES)
"""They speak of no person, and go all the time."""


def keep_house(resources: Resources) -> None:
    """All that is due, until nothing is left but what others have in hand. Nothing by a clock that is in doubt."""
    if not resources.clock_check.vouches(resources.database):
        return
    purged: Counter[Chore] = Counter()
    for chore in _chores(resources):
        with _by_itself(chore):
            purged[chore] = retention.carry_out(resources.database, chore)
    _tell(purged)
    resources.database.scrub()


class Housekeeper:
    """Goes on where its last round ended, and leaves a chore that is done alone for a minute."""

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
                # Mostly the database that is away.
                log.error("worker.housekeeping_failed", kind=type(error).__name__)
                stop.wait(TROUBLE_SECONDS)
            else:
                stop.wait(EVERY_SECONDS if is_done else 0)

    def round(self, stop: threading.Event) -> bool:
        """Steps until the time of the round is over, one at least, or `stop` is set. True where none is left to do."""
        if not self._resources.clock_check.vouches(self._resources.database):
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
        """Those whose turn comes, in turn."""
        chores = deque(_chores(self._resources))
        names = [_name(chore) for chore in chores]
        if self._next in names:
            chores.rotate(-names.index(self._next))
        lately = time.monotonic() - EVERY_SECONDS
        return deque(chore for chore in chores if self._done_at.get(_name(chore), lately) <= lately)

    def _step(self, waiting: deque[Chore], purged: Counter[Chore], stop: threading.Event) -> None:
        """Of the first; it goes behind the others where it may have more to do."""
        self._let_the_sealer_catch_up(stop)
        chore, done = waiting[0], 0
        with _by_itself(chore):
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
        """It keeps those who write waiting, so in the midst of a large purge not after each round."""
        if is_done or time.monotonic() >= self._scrubbed_at + EVERY_SECONDS:
            self._resources.database.scrub()
            self._scrubbed_at = time.monotonic()


def _chores(resources: Resources) -> Iterator[Chore]:
    key = resources.settings.suppression_key
    yield from retention.chores(resources.catalogue.get())
    yield Chore(COUNTS_OF_REQUESTS, lambda session, at_most: rate_limit.purge(session, clock.now(), at_most=at_most))
    yield Chore(ALLOWANCES, lambda session, at_most: throttle.purge(session, clock.now(), at_most=at_most))
    # Once after an upgrade; later there is nothing to do.
    yield Chore(
        "mailboxes.completed", lambda session, at_most: mailbox_backfill.complete(session, key, at_most=at_most)
    )


def _name(chore: Chore) -> Name:
    return chore.kind, chore.newsletter


@contextmanager
def _by_itself(chore: Chore) -> Iterator[None]:
    """One that fails is tried again at the next round, and keeps no other waiting."""
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
