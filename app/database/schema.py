"""Schema revision: migrate a database to the newest one, and tell whether it is there.

Invariant: a migration runs whole or not at all, and one at a time however many hosts start it. Alembic is imported only
to migrate: `/readyz` checks the revision in every web process, where the file names suffice.
"""

import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, column, inspect, select, table, text
from sqlalchemy.exc import OperationalError

from app.database import Database, lock_waits
from app.database.lock_waits import Holder
from app.database.locks import AdvisoryLock, await_lock
from app.errors import JawelError

if TYPE_CHECKING:
    from alembic.config import Config

MIGRATIONS = Path(__file__).parents[2] / "migrations"
"""Beside the package, in a checkout and in an installed wheel alike."""

_NUMBERED = re.compile(r"(\d{4})_[a-z0-9_]+\.py")
_VERSION = table("alembic_version", column("version_num"))


class Blocked(JawelError):
    """Other sessions block the migration: which they are, and what to do about it."""


def migrate(database: Database) -> tuple[str | None, str]:
    """Return the revisions before and after; None if there was no schema. Idempotent. Raises Blocked."""
    holders: list[Holder] = []
    try:
        with database.transaction() as session:
            connection = session.connection()
            if connection.dialect.name == "postgresql":
                _await_turn(connection)
            with lock_waits.watched(database, connection) as holders:
                before = current_revision(connection)
                if not _reaches_head(before):
                    _upgrade(connection)
                after = current_revision(connection) or ""
    except OperationalError as error:
        if lock_waits.gave_up_waiting(error):
            raise Blocked(_blocked_by(database, holders)) from None
        raise
    return before, after


def _blocked_by(database: Database, holders: Sequence[Holder]) -> str:
    nothing = "Nothing was changed:"
    if database.writer.dialect.name == "sqlite":
        return (
            f"{nothing} another process has been writing to the database all the time. See what it is (another"
            " `jawel migrate`, a worker that purges, a shell of SQLite), and run `jawel migrate` again when it is done."
        )
    again = "and run `jawel migrate` again."
    if not holders:
        return f"{nothing} others held a lock on what it changes. Wait until they are done, {again}"
    pids = ", ".join(f"pg_terminate_backend({each.pid})" for each in holders)
    told = "\n".join(f"  {each}" for each in holders)
    return f"{nothing} a lock on what it changes was not given up by\n{told}\nWait, or `SELECT {pids}`, {again}"


def current_revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table(_VERSION.name):
        return None
    return connection.execute(select(_VERSION.c.version_num)).scalar()


@cache
def head_revision() -> str:
    found = (_NUMBERED.fullmatch(path.name) for path in (MIGRATIONS / "versions").iterdir())
    return max(match[1] for match in found if match)


def is_current(connection: Connection) -> bool:
    """True on a newer schema as well: during a deployment the old version serves on until the new one has started."""
    return _reaches_head(current_revision(connection))


def _reaches_head(revision: str | None) -> bool:
    return revision is not None and revision >= head_revision()


def _upgrade(connection: Connection) -> None:
    from alembic import command  # noqa: PLC0415 - see above

    command.upgrade(alembic_config(connection), "head")


def alembic_config(connection: Connection) -> "Config":
    """The settings of an alembic.ini."""
    from alembic.config import Config  # noqa: PLC0415 - see above

    config = Config(attributes={"connection": connection})
    # Alembic reads a % as the start of a placeholder.
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("file_template", "%%(rev)s_%%(slug)s")
    return config


def _await_turn(connection: Connection) -> None:
    """SQLite does not need this: BEGIN IMMEDIATE lets one writer in."""
    connection.execute(text("SET LOCAL lock_timeout = 0"))
    connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
    await_lock(connection, AdvisoryLock.MIGRATION)
    # A statement that waits for a lock makes all later ones wait too: better to fail, and be run again.
    connection.execute(text("SET LOCAL lock_timeout = '5s'"))
    connection.execute(text("SET LOCAL statement_timeout = '10min'"))
