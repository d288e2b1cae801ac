"""INSERT … ON CONFLICT: SQLite and PostgreSQL write it alike, SQLAlchemy builds it in two dialects."""

from sqlalchemy import Connection
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import DeclarativeBase, Session

Insert = postgresql.Insert | sqlite.Insert


def insert_into(model: type[DeclarativeBase], bind: Connection | Session) -> Insert:
    """For a statement that is built where it is run."""
    connection = bind.connection() if isinstance(bind, Session) else bind
    return insert_for(model, connection.dialect.name)


def insert_for(model: type[DeclarativeBase], dialect: str) -> Insert:
    """For a statement that is built once and kept, for the dialect of that name."""
    return sqlite.insert(model) if dialect == "sqlite" else postgresql.insert(model)
