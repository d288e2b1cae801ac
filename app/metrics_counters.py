"""Monotonic counters over all processes, for monitoring: of refused requests, for example.

A flood of counted events must not become a flood of writes. So each process holds counts back, and writes them to the
database in lots: a lot is a fiftieth of its count in the present minute, and at least one. The remainder goes out with
the next count.

Invariant: no request waits for a counter, or fails because of one. One request at a time writes; after a failed write,
none does for the rest of the minute. Counts that a process has not written are lost with it.
"""

import threading
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache

from sqlalchemy import BigInteger, Connection, Engine, bindparam, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.sql.dml import Insert

from app import clock
from app.database import Base
from app.database.upsert import insert_for

LOTS = 50


class CounterRow(Base):
    __tablename__ = "counters"

    name: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    """One of a few that the program knows: never text from a request."""
    total: Mapped[int] = mapped_column(BigInteger)


@dataclass(slots=True)
class _Count:
    of_minute: int = 0
    untold: int = 0


class Counters:
    """This process's counts."""

    def __init__(self, writer: Engine) -> None:
        self._writer = writer
        self._lock = threading.Lock()
        self._turn = threading.Lock()
        self._minute = 0
        self._is_away_in: int | None = None
        """The minute in which a write failed."""
        self._counts: defaultdict[tuple[str, str], _Count] = defaultdict(_Count)

    def count(self, name: str, kind: str) -> None:
        """Add one. Not within a transaction: SQLite lets one write at a time, so this would wait for it."""
        with self._lock:
            self._begin_minute(clock.seconds() // 60)
            count = self._counts[name, kind]
            count.of_minute += 1
            count.untold += 1
            is_due = count.untold > count.of_minute // LOTS and self._is_away_in != self._minute
        if is_due and self._turn.acquire(blocking=False):
            try:
                self._tell(name, kind)
            finally:
                self._turn.release()

    def add(self, name: str, kind: str, times: int) -> bool:
        """Add at once, for counts that come in lots already. False if the database refused: they are not counted."""
        try:
            with self._writer.begin() as connection:
                connection.execute(_add(connection.dialect.name), {"name": name, "kind": kind, "total": times})
        except SQLAlchemyError:
            return False
        return True

    def _begin_minute(self, minute: int) -> None:
        if minute != self._minute:
            self._minute = minute
            for each in self._counts.values():
                each.of_minute = 0

    def _tell(self, name: str, kind: str) -> None:
        with self._lock:
            count = self._counts[name, kind]
            untold, count.untold = count.untold, 0
        if not self.add(name, kind, untold):
            with self._lock:
                count.untold += untold
                self._is_away_in = self._minute


def read(connection: Connection, names: Collection[str]) -> Mapping[str, Mapping[str, int]]:
    """Totals by name and kind, without kinds never counted. One statement."""
    found: dict[str, dict[str, int]] = {name: {} for name in names}
    for row in connection.execute(_OF_NAMES, {"names": list(names)}):
        found[row.name][row.kind] = row.total
    return found


@cache
def _add(dialect: str) -> Insert:
    insert = insert_for(CounterRow, dialect)
    return insert.values(
        name=bindparam("name"), kind=bindparam("kind"), total=bindparam("total")
    ).on_conflict_do_update(index_elements=["name", "kind"], set_={"total": CounterRow.total + insert.excluded.total})


_OF_NAMES = select(CounterRow.name, CounterRow.kind, CounterRow.total).where(
    CounterRow.name.in_(bindparam("names", expanding=True))
)
