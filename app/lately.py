"""What the database said a moment ago, for what every request needs and hardly ever changes."""

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from sqlalchemy import Connection

from app.database import Database

Value = TypeVar("Value")

FRESH_FOR_SECONDS = 1.0


class Lately(Generic[Value]):
    """As of at most a second ago: so long may a process take to notice that something else holds."""

    def __init__(self, database: Database, load: Callable[[Connection], Value]) -> None:
        self._database = database
        self._load = load
        self._lock = threading.Lock()
        self._read_at = float("-inf")
        self._value: Value

    def get(self) -> Value:
        if time.monotonic() - self._read_at < FRESH_FOR_SECONDS:
            return self._value
        with self._lock:
            if time.monotonic() - self._read_at >= FRESH_FOR_SECONDS:
                with self._database.read_only() as connection:
                    self._value = self._load(connection)
                self._read_at = time.monotonic()
            return self._value
