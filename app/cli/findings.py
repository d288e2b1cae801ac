"""How a check of `jawel doctor` reads the database, and the two ways in which it can end badly."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection

from app.database import Database, schema
from app.errors import JawelError


class CheckFailed(JawelError):
    """A failed check: the fault and its remedy."""


class CheckWarning(JawelError):
    """A warning: a part that works but is not as it should be, and the remedy."""


@contextmanager
def reading(database: Database) -> Iterator[Connection]:
    """Raises CheckFailed if the schema is not current: what a check would read may not be there."""
    with database.read_only() as connection:
        if not schema.is_current(connection):
            raise CheckFailed("waits for the schema; run `jawel migrate`")
        yield connection
