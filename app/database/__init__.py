"""Engines, transactions and column types, the same for SQLite and PostgreSQL.

Invariant: entry points open a transaction, domain functions take what it yields and never commit.
Code that only reads uses `read_only`, where the database itself refuses to write.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import psycopg
from sqlalchemy import (
    JSON,
    Connection,
    DateTime,
    Engine,
    MetaData,
    Row,
    Select,
    String,
    Text,
    event,
)
from sqlalchemy.engine import Dialect, ExceptionContext
from sqlalchemy.exc import InterfaceError, InternalError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.types import TypeDecorator

from app.database import postgresql, sqlite
from app.database.connection_cache import ConnectionCache

# SQLSTATE classes: the transaction was rolled back, or an object is not available, such as a lock.
ABOUT_ONE_STATEMENT = ("40", "55")
DEADLOCK_OR_SERIALIZATION = frozenset({"40P01", "40001"})

_commits: ContextVar[int] = ContextVar("commits", default=0)


class _UtcText(TypeDecorator[datetime]):
    """SQLite has no instants: ISO 8601 text in UTC sorts by time and reads well by eye."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> str | None:
        return None if value is None else value.astimezone(UTC).isoformat(timespec="milliseconds")

    def process_result_value(self, value: str | None, dialect: Dialect) -> datetime | None:
        return None if value is None else datetime.fromisoformat(value)


AnyRow = Row[*tuple[Any, ...]]
AnySelect = Select[*tuple[Any, ...]]
Instant = DateTime(timezone=True).with_variant(_UtcText(), "sqlite")


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "pk": "pk_%(table_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
        }
    )
    type_annotation_map = {datetime: Instant, str: Text, dict[str, str]: JSON, list[str]: JSON, list[int]: JSON}


@dataclass(frozen=True, slots=True)
class Database:
    """Two pools on one database: `reader` cannot write."""

    writer: Engine
    reader: Engine
    _writers: ConnectionCache
    _readers: ConnectionCache
    _write_ahead_log: sqlite.WriteAheadLog

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """One unit of work: committed when the block ends, rolled back when it raises."""
        with Session(self._transactional, expire_on_commit=False) as session, session.begin():
            yield session
        _commits.set(commits() + 1)

    def read_only(self) -> AbstractContextManager[Connection]:
        """For code that only reads. The database refuses a write in the block."""
        return self._readers.one()

    @contextmanager
    def single_statement(self) -> Iterator[Connection]:
        """For work that is one statement: on PostgreSQL each statement commits by itself.

        It saves the round trips of BEGIN and COMMIT, and so suits only a caller whose whole write is
        one statement. SQLite has no data-modifying CTE, so there the block is an ordinary transaction.
        """
        on_sqlite = self.writer.dialect.name == "sqlite"
        with self.writer.begin() if on_sqlite else self._writers.one() as connection:
            yield connection
        _commits.set(commits() + 1)

    @property
    def _transactional(self) -> Engine:
        if self.writer.dialect.name == "sqlite":
            return self.writer
        return self.writer.execution_options(isolation_level="READ COMMITTED")

    def scrub(self) -> bool:
        """Remove deleted data from the disk: SQLite's write-ahead log holds pages as they were before.

        False while a reader still uses them: a worker tries again each minute. Not within a transaction. On PostgreSQL
        it does nothing: vacuum does it.
        """
        return self.writer.dialect.name != "sqlite" or self._write_ahead_log.empty()

    def dispose(self) -> None:
        self._readers.close()
        self._writers.close()
        self.writer.dispose()
        self.reader.dispose()


def commits() -> int:
    """How many units of work this thread has finished: between two equal counts nothing was committed."""
    return _commits.get()


def was_undone(error: SQLAlchemyError) -> bool:
    """A deadlock or a serialization failure: the whole transaction is undone, and a retry may well succeed."""
    return getattr(getattr(error, "orig", None), "sqlstate", None) in DEADLOCK_OR_SERIALIZATION


def is_away(error: Exception) -> bool:
    """Whether the database as a whole is at fault, so that the next statement will probably fail too."""
    if not isinstance(error, OperationalError | InterfaceError | InternalError | PoolTimeout):
        return False
    state = getattr(getattr(error, "orig", None), "sqlstate", None) or ""
    return not state.startswith(ABOUT_ONE_STATEMENT)


def connect(url: str) -> Database:
    """Open the database that `url` names. `postgresql://` URLs may name several hosts, as libpq allows."""
    if url.startswith("sqlite"):
        writer = sqlite.engine(url, sqlite.TO_WRITE)
        reader = sqlite.engine(url, sqlite.TO_READ, sqlite.NEVER_WRITE)
    else:
        writer, reader = postgresql.engine(url, ""), postgresql.engine(url, "-c default_transaction_read_only=on")
        _dispose_together(writer, reader)
    return Database(writer, reader, ConnectionCache(writer), ConnectionCache(reader), sqlite.WriteAheadLog(writer))


def described(url: str) -> str:
    """Human-readable: the file, or the name and the hosts. Neither user nor password."""
    if url.startswith("sqlite"):
        return f"sqlite, {sqlite.file(url) or 'no file'}"
    return f"postgresql, {postgresql.described(url)}"


def _dispose_together(writer: Engine, reader: Engine) -> None:
    """A lost connection in one pool disposes the other too: the server went away, or is no longer primary."""

    @event.listens_for(writer, "handle_error")
    def leave_a_standby(context: ExceptionContext) -> None:
        if isinstance(context.original_exception, psycopg.errors.ReadOnlySqlTransaction):
            context.is_disconnect = True

    event.listen(writer, "invalidate", lambda *_: reader.dispose())
    event.listen(reader, "invalidate", lambda *_: writer.dispose())
