"""Connections that lately ran a hot statement, kept out of their pool for the next one.

To take a connection out of its pool and to put it back costs as much Python as to ask a question. Invariant: none is
kept that is in a transaction or outlives its pool, and so few that they alone never empty the pool.
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
        # Those of a pool that was given up would stay open below the newer ones, which are taken first.
        event.listen(self.engine, "engine_disposed", lambda _engine: self.close())

    @contextmanager
    def one(self) -> Iterator[Connection]:
        """For the block, which leaves no setting of the session behind."""
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
