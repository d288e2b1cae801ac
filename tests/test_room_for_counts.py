"""What one process knows of the present minute takes no more memory, wherever the requests come from."""

import gc
from collections.abc import Iterator

import pytest
import time_machine
from limits.storage import MemoryStorage

from app.abuse import rate_limit
from app.abuse.rate_limit import Counter, Limit

FEW = 50


@pytest.fixture
def counter(monkeypatch: pytest.MonkeyPatch) -> Iterator[Counter]:
    monkeypatch.setattr(rate_limit, "ROOM", FEW)
    # Frozen objects are not listed: to look through all of a long run takes minutes.
    gc.freeze()
    yield Counter(MemoryStorage(), "s" * 32)
    gc.unfreeze()


def counted() -> int:
    return sum(isinstance(each, rate_limit._Hits) for each in gc.get_objects())


def test_whoever_comes_from_everywhere_does_not_fill_the_memory(counter: Counter) -> None:
    before = counted()
    with time_machine.travel("2026-11-23 20:00:00+00:00", tick=False):
        for number in range(20 * FEW):
            assert counter.hit(Limit("client", 60), f"client {number}")
            assert counted() - before <= FEW + 1


def test_whom_there_was_no_room_for_gets_a_lot_more_and_no_fresh_limit(counter: Counter) -> None:
    """What was told to the store is known there yet."""
    limit = Limit("client", 100)
    with time_machine.travel("2026-11-23 20:00:00+00:00", tick=False):
        assert sum(counter.hit(limit, "somebody") for _ in range(200)) == limit.hits
        for number in range(FEW + 10):
            counter.hit(limit, f"client {number}")
        assert sum(counter.hit(limit, "somebody") for _ in range(200)) <= limit.lot
