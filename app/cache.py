"""TTL cache for one value that every request needs and that hardly ever changes.

One thread refreshes, others get the old value meanwhile, for up to 60 s while the database is down. After that, or if
nothing was ever loaded, the others get an error within 2 s instead of queueing.
"""

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.exc import TimeoutError as NoAnswer

from app.database import Database

Value = TypeVar("Value")

FRESH_FOR_SECONDS = 1.0
GOOD_FOR_SECONDS = 60.0
FIRST_SECONDS = 2.0
"""How long the first requests of a process wait for the thread that loads the value."""


class TtlCache(Generic[Value]):
    """At most a second old, or a minute while the database is down."""

    def __init__(self, database: Database, load: Callable[[Connection], Value]) -> None:
        self._database = database
        self._load = load
        self._lock = threading.Lock()
        self._read_at = self._tried_at = float("-inf")
        self._value: Value

    def get(self) -> Value:
        """Raises SQLAlchemyError if the database is down and no value is younger than a minute."""
        if _age(self._read_at) < FRESH_FOR_SECONDS:
            return self._value
        is_known = _age(self._read_at) < GOOD_FOR_SECONDS
        if self._lock.acquire(timeout=0 if is_known else FIRST_SECONDS):
            try:
                self._look(is_known)
            finally:
                self._lock.release()
        elif not is_known:
            raise NoAnswer("another thread waits for the same answer")
        return self._value

    def _look(self, is_known: bool) -> None:
        if _age(self._read_at) < FRESH_FOR_SECONDS:
            return
        if _age(self._tried_at) < FRESH_FOR_SECONDS:
            if not is_known:
                raise NoAnswer("the database did not answer a moment ago")
            return
        try:
            with self._database.read_only() as connection:
                self._value = self._load(connection)
            self._read_at = time.monotonic()
        except SQLAlchemyError:
            self._tried_at = time.monotonic()
            if not is_known:
                raise


def _age(instant: float) -> float:
    return time.monotonic() - instant
