"""The catalogue, and every wording that people were ever shown.

Evidence cites a wording by its digest, so the database itself refuses to change or delete one.
"""

import sqlalchemy as sa
from alembic import op

from app.database import Instant

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "controllers",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("terms", sa.JSON, nullable=False),
        sa.CheckConstraint("id = 1", name="only_one"),
    )
    op.create_table(
        "newsletters",
        sa.Column("slug", sa.Text, primary_key=True),
        sa.Column("terms", sa.JSON, nullable=False),
        sa.Column("retired_at", Instant),
    )
    op.create_table(
        "wordings",
        sa.Column("sha256", sa.Text, primary_key=True),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("first_used_at", Instant, nullable=False),
    )
    if op.get_bind().dialect.name == "sqlite":
        keep_wordings_on_sqlite()
    else:
        keep_wordings_on_postgresql()


def keep_wordings_on_postgresql() -> None:
    op.execute("""
        CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION '% are never changed or deleted', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
        END $$
    """)
    op.execute("""
        CREATE TRIGGER wordings_are_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON wordings
        FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()
    """)


def keep_wordings_on_sqlite() -> None:
    for verb in ("UPDATE", "DELETE"):
        op.execute(f"""
            CREATE TRIGGER wordings_are_kept_on_{verb.lower()} BEFORE {verb} ON wordings
            BEGIN SELECT RAISE(ABORT, 'wordings are never changed or deleted'); END
        """)
    # INSERT OR REPLACE deletes the old row without asking the DELETE trigger.
    op.execute("""
        CREATE TRIGGER wordings_are_kept_on_replace BEFORE INSERT ON wordings
        WHEN EXISTS (SELECT 1 FROM wordings WHERE sha256 = NEW.sha256)
        BEGIN SELECT RAISE(ABORT, 'wordings are never changed or deleted'); END
    """)
