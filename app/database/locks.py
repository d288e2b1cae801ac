"""Locks: the advisory locks by name, and the one order in which rows are locked.

Two transactions that each hold what the other waits for are a deadlock, and PostgreSQL ends one of them. Invariant:
a transaction that waits for row locks takes them in `ORDER`, and several rows of one table in the order given there; so
no transactions wait for each other in a ring. Work that skips locked rows (SKIP LOCKED) may start anywhere, because it
never waits.

SQLite lets one writer in at a time (BEGIN IMMEDIATE), so there every function here does nothing.
"""

from enum import IntEnum

from sqlalchemy import Connection, text

ORDER = (
    ("mail_budgets", "by digest"),
    ("subscriptions", "by subscriber, then by newsletter"),
    ("subscribers", "by id"),
    ("letters", "by id"),
    ("stubs", "by subscription"),
    ("address_changes", "by id"),
)
"""Table, and the order of its rows.

Not in it: `suppressions` and `leavings`, because a transaction writes only those of one mailbox, or of people whose
subscriptions it holds; and `allowances`, which the worker locks by key around the letters that it claims with SKIP
LOCKED, so that no transaction waits for those.
"""


class AdvisoryLock(IntEnum):
    """Arbitrary numbers that no other program on the same database may lock."""

    MIGRATION = 0x4A6177656C
    SEALING = 0x4A61776C67
    """Held while events get their positions in the log, or return to the queue for sealing."""
    ATTACK_DETECTION = 0x4A61776D01
    """Held while the log is counted or a breaker is switched."""
    ANSWERS = 0x4A61776D
    """With a text: held while the request that bears it is carried out. Of 32 bits, as PostgreSQL has it for two."""


def try_lock(connection: Connection, lock: AdvisoryLock) -> bool:
    """Take the lock until the transaction ends; False if another transaction holds it.

    In a statement of its own: the statements that follow see all that its former holder has committed.
    """
    if connection.dialect.name == "sqlite":
        return True
    return bool(connection.scalar(text("SELECT pg_try_advisory_xact_lock(:lock)"), {"lock": lock.value}))


def try_lock_for(connection: Connection, lock: AdvisoryLock, name: str) -> bool:
    """As `try_lock`, for one name among many. Two names may share a lock, by a chance of one in 2^32."""
    if connection.dialect.name == "sqlite":
        return True
    taken = text("SELECT pg_try_advisory_xact_lock(:lock, hashtext(:name))")
    return bool(connection.scalar(taken, {"lock": lock.value, "name": name}))


def await_lock(connection: Connection, lock: AdvisoryLock) -> None:
    """As `try_lock`, but wait for the lock. Raises sqlalchemy.exc.OperationalError after `lock_timeout`."""
    if connection.dialect.name != "sqlite":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": lock.value})
