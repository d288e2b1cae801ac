"""The share that one engine has of a server's connections, and a pool that keeps to it.

Counted is what the server may count: each connection from before it is asked for until it is closed, also those of
pools that were given up. A server that hangs answers no log-in, yet has accepted it, and once it goes on it serves
all of them before anybody else.
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
"""A connection that is closed tells nobody."""


class _Closable(Protocol):
    @property
    def closed(self) -> bool: ...


Opened = TypeVar("Opened", bound=_Closable)


class Share:
    """For several threads."""

    def __init__(self, most: int, *, patience_seconds: float) -> None:
        self._most, self._patience = most, patience_seconds
        self._lock = threading.Lock()
        self._under_way = 0
        self._open: WeakSet[Any] = WeakSet()

    def open(self, connect: Callable[[], Opened]) -> Opened:
        """Raises sqlalchemy.exc.TimeoutError where the share stays used up, and whatever `connect` raises."""
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
    """Once given up, it closes what comes back: SQLAlchemy leaves that to Python's collector, which may be late."""

    _is_given_up = False

    def dispose(self) -> None:
        self._is_given_up = True
        super().dispose()

    def _do_return_conn(self, record: ConnectionPoolEntry) -> None:
        super()._do_return_conn(record)
        if self._is_given_up:
            super().dispose()
