"""Connection cache: connections that recently ran a hot statement, kept out of their pool for the next one.

Taking a connection out of its pool and returning it costs as much Python as a query. Invariant: no cached connection is
in a transaction or outlives its pool, and the cache is too small to empty the pool alone.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from sqlalchemy import Connection, Engine, Pool, event

from app.database.postgresql import POOL_SIZE

MOST = POOL_SIZE // 2


@dataclass(frozen=True, slots=True)
class ConnectionCache:
    engine: Engine
    waiting: list[tuple[Pool, Connection]] = field(default_factory=list)

    def __post_init__(self) -> None:
        # Connections of a disposed pool would stay open below the newer ones, which are taken first.
        event.listen(self.engine, "engine_disposed", lambda _engine: self.close())

    @contextmanager
    def one(self) -> Iterator[Connection]:
        """A connection for the block, which must leave no session setting behind."""
        pool, connection = self._take()
        try:
            yield connection
        finally:
            is_of_the_pool = pool is self.engine.pool
            if connection.in_transaction() or not is_of_the_pool or len(self.waiting) >= MOST:
                connection.close()
            else:
                self.waiting.append((pool, connection))

    def _take(self) -> tuple[Pool, Connection]:
        while kept := self._next():
            pool, connection = kept
            if pool is self.engine.pool:
                return kept
            connection.close()
        return self.engine.pool, self.engine.connect()

    def _next(self) -> tuple[Pool, Connection] | None:
        try:
            return self.waiting.pop()
        except IndexError:
            return None

    def close(self) -> None:
        while kept := self._next():
            kept[1].close()
