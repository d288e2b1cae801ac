"""Whether events say that they happened about when they were sealed.

A request to change an address is dated when it was asked for and written when it is confirmed, up to three days later.
Nothing else is written later than it happens; and where sealing was away for a week, all that waited is old alike.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from app.ledger.audit.stored import instant

EARLIER_AT_MOST = timedelta(hours=72)
TOLERANCE = timedelta(hours=1)
"""Between the clocks of several machines, and for a transaction that takes long."""
AS_MANY = 10
"""Where so many in a row are too old, it is the one before them that is told of."""


class _Event(NamedTuple):
    at: datetime
    id: Any


class Times:
    """Entries of the log in their order, each beside the newest event before it."""

    def __init__(self) -> None:
        self._newest: _Event | None = None
        self._older: list[_Event] = []
        """Those since the newest that are too old to stand behind it."""

    def compare(self, entry: Any) -> Iterator[str]:
        """To be called for each in turn; `rest` tells what is left in the end."""
        happened = instant(entry.occurred_at)
        if happened is None:
            return  # What the audit of events is for.
        event = _Event(happened, entry.event_id)
        if self._newest and happened < self._newest.at - EARLIER_AT_MOST - TOLERANCE:
            self._older.append(event)
            if len(self._older) == AS_MANY:
                yield from self._go_back()
            return
        yield from self.rest()
        self._newest = event if self._newest is None or happened > self._newest.at else self._newest

    def rest(self) -> Iterator[str]:
        """What was too old since the newest, and too little to speak against that."""
        for event in self._older:
            assert self._newest
            yield (
                f"event {event.id}: it says that it happened at {event.at.isoformat()}, but stands in the log behind "
                f"event {self._newest.id} of {self._newest.at.isoformat()}: it was dated back, or a clock was wrong"
            )
        self._older = []

    def _go_back(self) -> Iterator[str]:
        """One clock that was ahead must not speak against all that comes after."""
        assert self._newest
        yield (
            f"event {self._newest.id}: it says that it happened at {self._newest.at.isoformat()}, but all from event "
            f"{self._older[0].id} on are days older: a clock was ahead, or those were dated back"
        )
        self._newest, self._older = max(self._older, key=lambda event: event.at), []
