"""Checks that each event's time agrees with its position in the log.

A request to change an address is dated when it was made and written when it is confirmed, up to three days later. All
other events are written when they happen; and after a week without sealing, all waiting events are equally old. What
was erased has its day only, and proves nothing of the time.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from app.ledger.audit.stored import instant

EARLIER_AT_MOST = timedelta(hours=72)
TOLERANCE = timedelta(hours=1)
"""For differences between the clocks of several machines, and for long transactions."""
AS_MANY = 10
"""If this many events in a row are too old, the event before them is reported instead."""


class _Event(NamedTuple):
    at: datetime
    id: Any


class Times:
    """Compares the entries of the log, in order, each with the newest event before it."""

    def __init__(self) -> None:
        self._newest: _Event | None = None
        self._older: list[_Event] = []
        """Events after the newest that are too old for their position."""

    def compare(self, entry: Any) -> Iterator[str]:
        """Call for each entry in order; `rest` yields the remaining findings at the end."""
        happened = instant(entry.occurred_at)
        if happened is None or entry.is_dated_by_day:
            return  # What is no instant, the audit of events reports.
        event = _Event(happened, entry.event_id)
        if self._newest and happened < self._newest.at - EARLIER_AT_MOST - TOLERANCE:
            self._older.append(event)
            if len(self._older) == AS_MANY:
                yield from self._go_back()
            return
        yield from self.rest()
        self._newest = event if self._newest is None or happened > self._newest.at else self._newest

    def rest(self) -> Iterator[str]:
        """Events since the newest that are too old, and too few to cast doubt on the newest."""
        for event in self._older:
            assert self._newest
            yield (
                f"event {event.id}: it says that it happened at {event.at.isoformat()}, but stands in the log behind "
                f"event {self._newest.id} of {self._newest.at.isoformat()}: it was dated back, or a clock was wrong"
            )
        self._older = []

    def _go_back(self) -> Iterator[str]:
        """Report the newest event instead: one clock that was ahead must not cast doubt on all later events."""
        assert self._newest
        yield (
            f"event {self._newest.id}: it says that it happened at {self._newest.at.isoformat()}, but all from event "
            f"{self._older[0].id} on are days older: a clock was ahead, or those were dated back"
        )
        self._newest, self._older = max(self._older, key=lambda event: event.at), []
