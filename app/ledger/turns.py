"""The turn that is taken by whoever gives events their places, or moves them among those that wait: one at a time."""

from sqlalchemy import Connection, text

# Any number will do that no other program on the same database locks.
_TURN = 0x4A61776C67


def is_ours(connection: Connection) -> bool:
    """Take the turn, until the transaction ends; False where another has it.

    In a statement of its own: those that follow see all that the one before has committed.
    """
    if connection.dialect.name == "sqlite":
        return True  # BEGIN IMMEDIATE has let one writer in.
    return bool(connection.scalar(text("SELECT pg_try_advisory_xact_lock(:turn)"), {"turn": _TURN}))


def await_ours(connection: Connection) -> None:
    """Take the turn as `is_ours`, and wait for whoever has it."""
    if connection.dialect.name != "sqlite":
        connection.execute(text("SELECT pg_advisory_xact_lock(:turn)"), {"turn": _TURN})
