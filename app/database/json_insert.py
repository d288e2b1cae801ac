"""JSON insert: rows for several tables in one statement on PostgreSQL, one statement per table on SQLite.

Each table's rows travel as one JSON parameter. So the statement is the same text whether a list holds no row, one or
ten: it is compiled and prepared once, and a request that writes little costs the same as one that writes much. The text
stays below 4,096 characters, because psycopg parses a longer one anew each time.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any, cast
from uuid import UUID

import orjson
from sqlalchemy import (
    JSON,
    ColumnElement,
    Connection,
    DefaultClause,
    FromClause,
    Select,
    Table,
    Text,
    Uuid,
    bindparam,
    column,
    func,
    literal,
    literal_column,
    select,
    true,
    type_coerce,
)
from sqlalchemy import cast as sql_cast
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import DeclarativeBase, QueryableAttribute

from app.database.prepared import PreparedStatement

Insert = postgresql.Insert | sqlite.Insert


def insert(model: type[DeclarativeBase], dialect: str) -> Insert:
    """`INSERT INTO table SELECT … FROM` the JSON array in the parameter that has the table's name.

    A column that a row does not name is NULL, or the table's default.
    """
    table = cast(Table, model.__table__)
    names = [each.name for each in table.columns]
    parameter = bindparam(table.name, type_=Text)
    if dialect == "sqlite":
        entries = func.json_each(parameter).table_valued("value")
        values = [_or_default(_extracted(entries.c.value, each), each) for each in table.columns]
        # Without a WHERE, SQLite's parser takes the ON of ON CONFLICT for a join condition.
        return sqlite.insert(table).from_select(names, select(*values).where(true()))
    row_type: ColumnElement[object] = literal_column(f"NULL::{table.name}")
    source = func.json_populate_recordset(row_type, sql_cast(parameter, JSON)).table_valued(*names, name="r")
    values = [_or_default(source.c[each.name], each) for each in table.columns]
    return postgresql.insert(table).from_select(names, select(*values))


def _or_default(value: ColumnElement[Any], column: ColumnElement[Any]) -> ColumnElement[Any]:
    """A default applies only if an INSERT omits the column; this one names all of them."""
    default = getattr(column, "server_default", None)
    if not isinstance(default, DefaultClause):
        return value
    text = literal_column(f"'{default.arg}'") if isinstance(default.arg, str) else default.arg
    return func.coalesce(value, text)


def insert_all(connection: Connection, model: type[DeclarativeBase], values: Sequence[Mapping[str, object]]) -> None:
    """Insert many rows of one table, also with hashes, which SQLite cannot read out of JSON."""
    if connection.dialect.name == "sqlite":
        if values:
            connection.execute(sqlite.insert(model), values)
    else:
        _insert_all(model).run(connection, {model.__tablename__: encode(values)})


@cache
def _insert_all(model: type[DeclarativeBase]) -> PreparedStatement:
    return together([insert(model, "postgresql")])[0]


def records(parameter: str, dialect: str, columns: Sequence[QueryableAttribute[Any]]) -> FromClause:
    """The objects of a JSON array as rows, to join with: one parameter for any number of rows."""
    array = bindparam(parameter, type_=Text)
    if dialect == "sqlite":
        value = func.json_each(array).table_valued("value").c.value
        return select(*[_extracted(value, each).label(each.key) for each in columns]).subquery()
    typed = [column(each.key, each.type) for each in columns]
    return func.json_to_recordset(sql_cast(array, JSON)).table_valued(*typed).render_derived(with_types=True)


def _extracted(entry: ColumnElement[Any], column: ColumnElement[Any] | QueryableAttribute[Any]) -> ColumnElement[Any]:
    value: ColumnElement[Any] = func.json_extract(entry, f"$.{column.key}")
    # SQLAlchemy keeps UUIDs without hyphens on SQLite.
    return func.replace(value, "-", "") if isinstance(column.type, Uuid) else value


def together(inserts: Sequence[Insert]) -> tuple[PreparedStatement, ...]:
    """One statement where the database supports it, else one per table. They run in the order given.

    So they take their locks in that order too.
    """
    if isinstance(inserts[0], sqlite.Insert):
        return tuple(map(PreparedStatement, inserts))
    # PostgreSQL begins with the last CTE that no other part of the statement refers to.
    ctes = (each.cte(f"into_{each.table.name}") for each in reversed(inserts))
    return (PreparedStatement(select(literal(1)).add_cte(*ctes)),)


def parameters(rows: Mapping[Any, Sequence[object]]) -> dict[str, str]:
    """By the name of the table, as `insert` reads them."""
    return {model.__tablename__: encode(each) for model, each in rows.items()}


def texts(values: Sequence[str]) -> str:
    """The value of a `select_texts` parameter."""
    return json.dumps(values)


def select_texts(parameter: str, dialect: str) -> Select[tuple[str]]:
    """The texts of a JSON array as rows: one parameter, and so one prepared statement, for any number of texts."""
    array = bindparam(parameter, type_=Text)
    if dialect == "sqlite":
        return select(func.json_each(array).table_valued("value").c.value)
    return select(func.json_array_elements_text(sql_cast(array, JSON)).table_valued("value").c.value)


def select_ids(parameter: str, dialect: str) -> Select[tuple[UUID]]:
    """As `select_texts`, of ids."""
    found = select_texts(parameter, dialect).subquery()
    if dialect == "sqlite":
        # SQLAlchemy keeps UUIDs without hyphens on SQLite.
        return select(type_coerce(func.replace(found.c.value, "-", ""), Uuid))
    return select(sql_cast(found.c.value, Uuid))


def encode(values: Sequence[object]) -> str:
    """The value of a `records` parameter."""
    return orjson.dumps(values, default=_plain, option=orjson.OPT_PASSTHROUGH_DATETIME).decode()


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat(timespec="milliseconds")
    if isinstance(value, bytes):
        return f"\\x{value.hex()}"  # as bytea reads it
    raise TypeError(f"no plain form for {type(value).__name__}")
