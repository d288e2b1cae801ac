"""One engine's share of a server's connections, and a pool that keeps to it.

A connection counts as it may count on the server: from before it is requested until it is closed, also in a disposed
pool. A server that hangs answers no log-in, yet has accepted it, and once it resumes it serves all of them before
any other.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar
from weakref import WeakSet

from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import ConnectionPoolEntry, QueuePool

LOOK_SECONDS = 0.05
"""Polling interval: a closed connection notifies nobody."""


class _Closable(Protocol):
    @property
    def closed(self) -> bool: ...


Opened = TypeVar("Opened", bound=_Closable)


class Share:
    """Thread-safe."""

    def __init__(self, most: int, *, patience_seconds: float) -> None:
        self._most, self._patience = most, patience_seconds
        self._lock = threading.Lock()
        self._under_way = 0
        self._open: WeakSet[Any] = WeakSet()

    def open(self, connect: Callable[[], Opened]) -> Opened:
        """Raises sqlalchemy.exc.TimeoutError if the share stays used up, and whatever `connect` raises."""
        with self._one_under_way():
            opened = connect()
            with self._lock:
                self._open.add(opened)
            return opened

    @contextmanager
    def _one_under_way(self) -> Iterator[None]:
        deadline = time.monotonic() + self._patience
        while not self._take_one():
            if time.monotonic() > deadline:
                raise PoolTimeout(f"all {self._most} connections are in use or under way")
            time.sleep(LOOK_SECONDS)
        try:
            yield
        finally:
            with self._lock:
                self._under_way -= 1

    def _take_one(self) -> bool:
        with self._lock:
            has_room = self._under_way + sum(not each.closed for each in self._open) < self._most
            self._under_way += has_room
            return has_room


class SharedPool(QueuePool):
    """Once disposed, it closes what is returned: SQLAlchemy leaves that to Python's collector, which may be late."""

    _is_given_up = False

    def dispose(self) -> None:
        self._is_given_up = True
        super().dispose()

    def _do_return_conn(self, record: ConnectionPoolEntry) -> None:
        super()._do_return_conn(record)
        if self._is_given_up:
            super().dispose()
