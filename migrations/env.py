"""Runs the migrations on the connection that `app.database.schema` hands over, inside its transaction.

There is no alembic.ini, and no other way in: the lock and the time limits that a migration needs are taken there.
"""

from importlib import import_module
from pathlib import Path
from typing import Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext

import app
from app.database import Base, Instant


def import_models() -> None:
    """Found by their files: a list kept by hand would leave out the newest table, and nobody would notice."""
    package = Path(app.__file__).parent
    for path in sorted(package.rglob("*.py")):
        if "__tablename__ =" in path.read_text(encoding="utf-8"):
            import_module(".".join(path.relative_to(package.parent).with_suffix("").parts))


def render_item(kind: str, item: object, autogenerating: AutogenContext) -> str | Literal[False]:
    """How a new migration writes a column: like the models do."""
    if kind == "type" and item is Instant:
        autogenerating.imports.add("from app.database import Instant")
        return "Instant"
    return False


import_models()
connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=Base.metadata,
    render_as_batch=connection.dialect.name == "sqlite",
    render_item=render_item,
)
context.run_migrations()
