"""Prepared statements: composed in Core like all others, compiled once, given to PostgreSQL's driver as they are.

SQLAlchemy finds a compiled statement by a key as long as the statement itself, and wraps each result in many objects;
for the few statements that every request runs, that costs more than talking to the database does. SQLAlchemy's dialect
still writes the text, its exceptions are raised, and its pool is told of a lost connection.

SQLite's values need SQLAlchemy's type conversion, so there it is an ordinary execution.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from functools import cached_property
from typing import Any, cast

import psycopg
from psycopg.rows import RowMaker, namedtuple_row
from sqlalchemy import Connection, Executable
from sqlalchemy.dialects.postgresql import psycopg as dialects
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql import ClauseElement

from app.database import AnyRow


class PreparedStatement:
    """`core` must have no list that grows with its values: its text is the same for all of them."""

    def __init__(self, core: Executable) -> None:
        self._core = core
        self._row: RowMaker[Any] | None = None

    @cached_property
    def _compiled(self) -> tuple[bytes, Mapping[str, Any]]:
        assert isinstance(self._core, ClauseElement)
        compiled = self._core.compile(dialect=dialects.dialect())  # type: ignore[no-untyped-call]
        # psycopg dumps an enumeration member in Python, and a plain str in C.
        words = {name: str(value) for name, value in compiled.params.items() if isinstance(value, StrEnum)}
        # psycopg encodes a str anew each time, and compares the bytes letter by letter with its prepared statements.
        return str(compiled).encode(), {**compiled.params, **words}

    def _rows(self, cursor: psycopg.Cursor[Any]) -> RowMaker[Any]:
        """The columns are the same each time, and so is the row class."""
        if self._row is None:
            self._row = namedtuple_row(cursor)
        return self._row

    def run(self, connection: Connection, parameters: Mapping[str, Any]) -> Sequence[AnyRow]:
        """All rows, with their columns by name. Raises what `connection.execute` raises."""
        if connection.dialect.name == "sqlite":
            result = connection.execute(self._core, parameters)
            return result.all() if result.returns_rows else []
        text, constants = self._compiled
        try:
            return self._cursor(connection).execute(text, {**constants, **parameters}).fetchall()
        except psycopg.Error as error:
            raise _translated(connection, error) from None

    def _cursor(self, connection: Connection) -> psycopg.Cursor[Any]:
        """One per connection, for its lifetime: psycopg keeps in it how the values of its last text are sent.

        It also keeps its last rows in memory until its next run.
        """
        kept = connection.info
        if self not in kept:
            driver = connection.connection.driver_connection
            assert isinstance(driver, psycopg.Connection)
            kept[self] = driver.cursor(row_factory=self._rows)
        return cast("psycopg.Cursor[Any]", kept[self])


def _translated(connection: Connection, error: psycopg.Error) -> BaseException:
    """As SQLAlchemy does for any other statement: a lost connection also disposes its pool."""
    driver = connection.connection.driver_connection
    is_lost = connection.dialect.is_disconnect(error, driver, None)  # type: ignore[arg-type]
    if is_lost or isinstance(error, psycopg.errors.ReadOnlySqlTransaction):
        connection.invalidate(error)
        connection.engine.dispose()
    return DBAPIError.instance(
        "",
        None,
        error,
        psycopg.Error,
        hide_parameters=True,
        connection_invalidated=is_lost,
        dialect=connection.dialect,
    )
