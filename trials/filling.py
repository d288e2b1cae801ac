"""Requests that nobody confirmed, by the thousand: written in sets, as they would stand there after their letters left.

Their consent events are left out, for what lapses leaves those alone.
"""

from datetime import datetime, timedelta

from sqlalchemy import Integer, bindparam, text

from app import clock
from app.database import Database, Instant

_SOURCE = {
    "sqlite": """WITH RECURSIVE each(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM each WHERE n < :rows)
        SELECT n FROM each""",
    "postgresql": "SELECT n FROM generate_series(1, :rows) AS each(n)",
}
_ID = {"sqlite": "lower(hex(randomblob(16)))", "postgresql": "gen_random_uuid()"}
_HEX = {"sqlite": "lower(hex(randomblob(32)))", "postgresql": "md5(random()::text) || md5(random()::text)"}
_STATEMENTS = (
    """INSERT INTO subscribers (id, address, canonical, digest, mailbox_digest, language, commitment_key, created_at)
        SELECT {id}, 'joan' || n || '@example.org', 'joan' || n || '@example.org', {hex}, {hex}, 'en', {hex}, :asked_at
        FROM ({source}) AS numbers""",
    """INSERT INTO letters
        (id, kind, subscriber_id, language, about, state, created_at, due_at, attempts, state_at, reply)
        SELECT {id}, 'confirmation', id, 'en', '{{}}', 'sent', :asked_at, :asked_at, 1, :asked_at, '250 2.0.0'
        FROM subscribers""",
    """INSERT INTO subscriptions
        (id, subscriber_id, newsletter, status, since, version, nonce, letter_id, asked_at, expires_at)
        SELECT {id}, subscriber_id, 'weekly', 'pending', :asked_at, 1, substr({hex}, 1, 16), id, :asked_at, :expires_at
        FROM letters""",
    "ANALYZE",
)
PURGE_PENDING_AFTER = timedelta(days=1)
"""Of a newsletter that does not say otherwise."""


def takes(rows: int) -> timedelta:
    """Long enough, on a machine that is busy with other things."""
    return timedelta(seconds=5 + rows // 8000)


def fill(database: Database, rows: int, due_at: datetime) -> None:
    """So many requests, of as many people, which lapse all at once."""
    dialect = database.writer.dialect
    asked_at = clock.now() - timedelta(days=3)
    values = (
        ("rows", rows, Integer),
        ("asked_at", asked_at, Instant),
        ("expires_at", due_at - PURGE_PENDING_AFTER, Instant),
    )
    parts = {"id": _ID[dialect.name], "hex": _HEX[dialect.name], "source": _SOURCE[dialect.name]}
    for statement in _STATEMENTS:
        written = statement.format(**parts)
        bound = [bindparam(name, value, type_) for name, value, type_ in values if f":{name}" in written]
        with database.transaction() as session:
            session.execute(text(written).bindparams(*bound))


def purged(database: Database) -> int:
    """How many have lapsed: each leaves a stub."""
    return _count(database, "SELECT count(*) FROM stubs")


def left(database: Database) -> int:
    return _count(database, "SELECT count(*) FROM subscribers WHERE substr(canonical, 1, 4) = 'joan'")


def _count(database: Database, statement: str) -> int:
    with database.read_only() as connection:
        return int(connection.exec_driver_sql(statement).scalar_one())
