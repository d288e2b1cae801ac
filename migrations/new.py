"""Writes the next migration: what tells the models from the schema that the migrations make.

python -m migrations.new "add webhook endpoints"
"""

import sys
import tempfile

from alembic import command

from app import database
from app.database import schema


def write(message: str) -> None:
    number = f"{int(schema.head_revision()) + 1:04d}"
    with tempfile.TemporaryDirectory() as folder:
        opened = database.connect(f"sqlite:///{folder}/newest.sqlite")
        schema.migrate(opened)
        with opened.transaction() as session:
            config = schema.alembic_config(session.connection())
            command.revision(config, message, autogenerate=True, rev_id=number)
        opened.dispose()


if __name__ == "__main__":
    write(sys.argv[1])
