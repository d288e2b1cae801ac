"""Rate limits: counted in each process, and reported in lots to a store that all processes share.

A key that every client hits, such as a form's, would be one row that all signups wait for. So each process holds back
up to one lot of hits, and adds its own count to the store's last answer. Once it knows that a limit is reached it stops
asking the store: a refusal costs nothing.

Invariant: over all processes, at most the limit and one lot for each process pass. The store sees clients only as
keyed digests, so it holds no client address.
"""

import hmac
import threading
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Protocol

from sqlalchemy import Engine, bindparam, case
from sqlalchemy.orm import Mapped, Session, mapped_column
from sqlalchemy.sql.dml import ReturningInsert

from app import clock
from app.database import Base, Instant
from app.database.purge import purge_rows
from app.database.upsert import insert_for

WINDOW_SECONDS = 60
ROOM = 200_000
"""Maximum number of keys known at once: requests from everywhere must not fill the memory."""
LOTS = 50
"""A lot is the limit divided by this, and at least one hit."""


class RateLimit(Base):
    __tablename__ = "rate_limits"

    key: Mapped[str] = mapped_column(primary_key=True)
    hits: Mapped[int]
    expires_at: Mapped[datetime] = mapped_column(Instant)


@dataclass(frozen=True, slots=True)
class Limit:
    name: str
    hits: int
    seconds: int = WINDOW_SECONDS

    @property
    def lot(self) -> int:
        return max(1, self.hits // LOTS)


@dataclass(slots=True)
class _Hits:
    known: int = 0
    """The store's last answer, and the hits reported since."""
    untold: int = 0


_HitCounts = defaultdict[tuple[str, str], _Hits]
"""By the limit's name and the `who` of `Counter.hit`."""


class Storage(Protocol):
    """The store that all processes share: any storage of `limits`, or the database."""

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Count `amount` hits, kept for `expiry` seconds from the first. Returns the total."""


class Counter:
    """This process's counts in the present windows: the clock's minutes or hours, the same in every process."""

    def __init__(self, storage: Storage, secret: str) -> None:
        self._storage = storage
        self._secret = secret.encode()
        self._lock = threading.Lock()
        self._windows: dict[int, tuple[int, _HitCounts]] = {}
        """By their length in seconds."""

    def hit(self, limit: Limit, who: str) -> bool:
        """Count one hit; whether it is within the limit. Raises whatever the store raises if it cannot be reached."""
        window = clock.seconds() // limit.seconds
        with self._lock:
            count = self._in(window, limit.seconds)[limit.name, who]
            if count.known + count.untold >= limit.hits:
                return False
            count.untold += 1
            if count.untold <= limit.lot:
                return True
            untold, count.untold = count.untold, 0
            count.known += untold
        digest = hmac.digest(self._secret, who.encode(), "sha256").hex()[:32]
        told = self._storage.incr(f"{limit.name}/{digest}/{window}", limit.seconds, untold)
        with self._lock:
            count.known = max(count.known, told)
        return told <= limit.hits

    def _in(self, window: int, seconds: int) -> _HitCounts:
        """The present window's counts. Those of earlier windows are dropped, reported or not; so are all above ROOM."""
        present = self._windows.get(seconds)
        if present is None or present[0] != window or len(present[1]) > ROOM:
            present = self._windows[seconds] = window, defaultdict(_Hits)
        return present[1]


def seconds_left() -> int:
    """Until the next window, in which all counts start from zero; at least 1."""
    return WINDOW_SECONDS - clock.seconds() % WINDOW_SECONDS


class DatabaseStorage:
    """For a service without Redis.

    One upsert per lot, outside the request's transaction. On PostgreSQL the table is UNLOGGED, so that no lot waits for
    the disk, and after a crash all counts start from zero.
    """

    def __init__(self, writer: Engine) -> None:
        self._writer = writer

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        now = clock.now()
        parameters = {"key": key, "hits": amount, "expires_at": now + timedelta(seconds=expiry), "now": now}
        with self._writer.begin() as connection:
            return connection.execute(_hit(connection.dialect.name), parameters).scalar_one()


@cache
def _hit(dialect: str) -> ReturningInsert[int]:
    insert = insert_for(RateLimit, dialect)
    now = bindparam("now", type_=Instant)
    is_over = RateLimit.expires_at <= now
    return (
        insert.values(key=bindparam("key"), hits=bindparam("hits"), expires_at=bindparam("expires_at", type_=Instant))
        .on_conflict_do_update(
            index_elements=["key"],
            set_={
                "hits": case((is_over, insert.excluded.hits), else_=RateLimit.hits + insert.excluded.hits),
                "expires_at": case((is_over, insert.excluded.expires_at), else_=RateLimit.expires_at),
            },
        )
        .returning(RateLimit.hits)
    )


def purge(session: Session, now: datetime, *, at_most: int) -> int:
    """Delete the counts of past windows. Returns how many."""
    return purge_rows(session, RateLimit, RateLimit.expires_at <= now, at_most=at_most)
