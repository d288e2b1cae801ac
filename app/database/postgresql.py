"""PostgreSQL connections that never wait for an answer for ever, and leave nothing open behind them."""

import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

import psycopg
from psycopg import pq
from psycopg.abc import PQGen
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import TupleRow
from sqlalchemy import Engine, create_engine

from app.database.pool import Share, SharedPool

POOL_SIZE = 8
POOL_SECONDS = 5
CONNECT_SECONDS = 3
# Session settings; the options of DATABASE_URL follow them and win. No statement_timeout: it would end audits, and a
# cancelled wait for a synchronous standby is answered as success.
SERVER_PATIENCE = "-c lock_timeout=8s -c idle_in_transaction_session_timeout=60s"
# A host that vanished is noticed within half a minute, whether a query is pending (milliseconds) or not.
NETWORK_PATIENCE = {"tcp_user_timeout": 15_000, "keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3}

Returned = TypeVar("Returned")

_patience: ContextVar[float | None] = ContextVar("patience", default=None)


@contextmanager
def answering_within(seconds: float) -> Iterator[None]:
    """In the block, a statement that PostgreSQL does not answer in time is given up with its connection.

    Nothing is cancelled: whether the server completes that statement is as unknown as after any lost connection.
    Outside such blocks a statement has no time limit.
    """
    token = _patience.set(seconds)
    try:
        yield
    finally:
        _patience.reset(token)


def engine(url: str, options: str) -> Engine:
    """For the server, or several, in `url`, read as libpq does. `options` are set in each session."""
    return create_engine(
        "postgresql+psycopg://",
        # SQLAlchemy's URL parser knows one host; libpq reads the URL itself, lists of hosts included.
        creator=_connector(url, options),
        poolclass=SharedPool,
        pool_size=POOL_SIZE,
        max_overflow=0,
        pool_use_lifo=True,
        # A request that waits longer than this for a connection gets 503 instead of queueing for ever.
        pool_timeout=POOL_SECONDS,
        # Also for the writer: `transaction` switches its connections to transactional.
        isolation_level="AUTOCOMMIT",
        skip_autocommit_rollback=True,
    )


def described(url: str) -> str:
    """The database that `url` leads to, and its hosts; neither user nor password."""
    defaults = {each.keyword.decode(): each.val.decode() for each in pq.Conninfo.get_defaults() if each.val}
    told = {**defaults, **conninfo_to_dict(_conninfo(url))}
    hosts = str(told.get("host") or told.get("hostaddr") or "the local socket").split(",")
    ports = str(told.get("port") or "5432").split(",")
    # libpq takes one port for all hosts, or one for each.
    pairs = zip(hosts, ports if len(ports) > 1 else ports * len(hosts), strict=False)
    named = [host if port == "5432" else f"{host}:{port}" for host, port in pairs]
    return f"{told.get('dbname') or told.get('user') or 'the default database'} on {', '.join(named)}"


def _conninfo(url: str) -> str:
    return url.replace("postgres://", "postgresql://", 1).replace("+psycopg", "", 1)


def _connector(url: str, options: str) -> Callable[[], psycopg.Connection]:
    """A function that opens a connection to `url` with PostgreSQL's `options` set."""
    conninfo = _conninfo(url)
    given = conninfo_to_dict(conninfo)
    extra: dict[str, Any] = {
        "application_name": given.get("application_name", "jawel"),
        "target_session_attrs": given.get("target_session_attrs", "primary"),
        # Seconds, for each host. Without it, a host that drops packets holds a thread for minutes.
        "connect_timeout": given.get("connect_timeout", CONNECT_SECONDS),
        "options": f"{SERVER_PATIENCE} {given.get('options', '')} -c timezone=UTC {options}".strip(),
        **{name: given.get(name, value) for name, value in NETWORK_PATIENCE.items()},
    }
    share = Share(POOL_SIZE, patience_seconds=POOL_SECONDS)
    return lambda: share.open(lambda: _connect(conninfo, extra))


def _connect(conninfo: str, extra: Mapping[str, Any]) -> psycopg.Connection:
    """On failure, the socket is closed before this raises."""
    try:
        return _Connection.connect(conninfo, **extra)
    except BaseException as error:
        # The error and psycopg's frame that raises it hold each other, and the frame holds the half-made connection.
        traceback.clear_frames(error.__traceback__)
        raise


class _Connection(psycopg.Connection):
    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.server_cursor_factory = _ServerCursor

    def __del__(self, *_given: Any) -> None:
        # SQLAlchemy closes a disposed pool's idle connections. Those in use are left to the collector.
        if hasattr(self, "pgconn"):
            self.close()

    def wait(self, gen: PQGen[Returned], interval: float = 0.1, timeout: float | None = None) -> Returned:
        """psycopg waits for an answer for ever, and network time-outs do not help while the server's host is up."""
        patience = _patience.get() if timeout is None else timeout
        try:
            return super().wait(gen, interval, patience)
        except psycopg.errors._WaitTimeout:
            if timeout is not None:
                raise
            self.close()
            raise psycopg.OperationalError(f"no answer within {patience} s") from None


class _ServerCursor(psycopg.ServerCursor[TupleRow]):
    def __del__(self, *given: Any) -> None:
        # psycopg warns of an open cursor, and leaves one open if closing it finds its connection lost.
        if not self.connection.closed:
            super().__del__(*given)
