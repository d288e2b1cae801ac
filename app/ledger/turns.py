"""One at a time: whoever gives events their places, or moves them among those that wait."""

from sqlalchemy import Connection, text

# Any number will do that no other program on the same database locks.
_TURN = 0x4A61776C67


def is_ours(connection: Connection) -> bool:
    """Until the transaction ends. A statement of its own: those behind it see all that the one before committed."""
    if connection.dialect.name == "sqlite":
        return True  # BEGIN IMMEDIATE has let one writer in.
    return bool(connection.scalar(text("SELECT pg_try_advisory_xact_lock(:turn)"), {"turn": _TURN}))


def await_ours(connection: Connection) -> None:
    if connection.dialect.name != "sqlite":
        connection.execute(text("SELECT pg_advisory_xact_lock(:turn)"), {"turn": _TURN})
