"""Rate limits counted in the database, for a service that has no Redis.

The `limits` library brings every store but SQL. A fixed window, one upsert a hit; on PostgreSQL the table is UNLOGGED,
so that a hit waits for no disk, and after a crash everybody starts from zero.

Most clients ask once and go. So the first hit of a window stays in the process, and the database hears of it with the
second: honest people cost no round trip, and a client gains at most one request for each process beyond the first.
"""

import threading
from datetime import datetime, timedelta
from functools import cache

from limits.storage import Storage
from sqlalchemy import Engine, bindparam, case, delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Mapped, Session, mapped_column
from sqlalchemy.sql.dml import ReturningInsert

from app import clock
from app.database import Base, Instant

ROOM = 1000
"""How many first hits are kept before those whose window is over are looked for."""


class RateLimit(Base):
    __tablename__ = "rate_limits"

    key: Mapped[str] = mapped_column(primary_key=True)
    hits: Mapped[int]
    expires_at: Mapped[datetime] = mapped_column(Instant)


class KeptBack:
    """First hits that the database has not been told of, and until when they count."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: dict[str, tuple[datetime, int]] = {}
        self._room = ROOM

    def untold(self, key: str, amount: int, *, now: datetime, until: datetime) -> int | None:
        """How many hits the database is to be told of; None where this one opens a window, and is kept back."""
        with self._lock:
            ends_at, kept = self._entries.get(key, (now, 0))
            if ends_at > now:
                self._entries[key] = (ends_at, 0)
                return kept + amount
            self._entries[key] = (until, amount)
            if len(self._entries) > self._room:
                self._entries = {key: entry for key, entry in self._entries.items() if entry[0] > now}
                self._room = ROOM + 2 * len(self._entries)
            return None


class DatabaseStorage(Storage):
    """A store for `limits`. Its own statement, outside the request's transaction: a refused request counts as well."""

    STORAGE_SCHEME = None

    def __init__(self, writer: Engine) -> None:
        super().__init__()
        self._writer = writer
        self._kept = KeptBack()

    @property
    def base_exceptions(self) -> type[Exception]:
        return SQLAlchemyError

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        now = clock.now()
        expires_at = now + timedelta(seconds=expiry)
        untold = self._kept.untold(key, amount, now=now, until=expires_at)
        if untold is None:
            return amount
        parameters = {"key": key, "hits": untold, "expires_at": expires_at, "now": now}
        with self._writer.begin() as connection:
            return connection.execute(_hit(connection.dialect.name), parameters).scalar_one()

    def get(self, key: str) -> int:
        with self._writer.connect() as connection:
            found = select(RateLimit.hits).where(RateLimit.key == key, RateLimit.expires_at > clock.now())
            return connection.execute(found).scalar() or 0

    def get_expiry(self, key: str) -> float:
        with self._writer.connect() as connection:
            expires_at = connection.execute(select(RateLimit.expires_at).where(RateLimit.key == key)).scalar()
        return (expires_at or clock.now()).timestamp()

    def check(self) -> bool:
        return self.get("check") == 0

    def reset(self) -> int:
        self._kept = KeptBack()
        with self._writer.begin() as connection:
            return connection.execute(delete(RateLimit)).rowcount

    def clear(self, key: str) -> None:
        with self._writer.begin() as connection:
            connection.execute(delete(RateLimit).where(RateLimit.key == key))


@cache
def _hit(dialect: str) -> ReturningInsert[int]:
    insert = (sqlite.insert if dialect == "sqlite" else postgresql.insert)(RateLimit)
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


def purge(session: Session, now: datetime) -> None:
    session.execute(delete(RateLimit).where(RateLimit.expires_at <= now))
