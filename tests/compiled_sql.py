"""SQL that is compiled once for all databases that the tests of a process open.

SQLAlchemy compiles a statement once for each engine, and each test has engines of its own: a third of a test's time.
"""

from typing import Any

from sqlalchemy import Connection, Engine, event


class _CompiledSql(dict[Any, Any]):
    """A key begins with the engine's dialect, of which all of a kind are alike here."""

    def get(self, key: Any, default: Any = None) -> Any:
        return super().get(_shared(key), default)

    def __setitem__(self, key: Any, compiled: Any) -> None:
        super().__setitem__(_shared(key), compiled)


def _shared(key: Any) -> Any:
    dialect, *rest = key
    return (dialect.name, *rest)


_COMPILED = _CompiledSql()


def share() -> None:
    """Among all engines of this process."""
    event.listen(Engine, "engine_connect", _with_shared_cache)


def _with_shared_cache(connection: Connection) -> None:
    connection.execution_options(compiled_cache=_COMPILED)
