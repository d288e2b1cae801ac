"""What time-stamping authorities said about checkpoints, kept like the checkpoints themselves: never changed."""

import sqlalchemy as sa
from alembic import op

from app.database import Instant

revision = "0013"
down_revision = "0012"

NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "anchors",
        sa.Column("size", NUMBER, sa.ForeignKey("checkpoints.size"), primary_key=True, autoincrement=False),
        sa.Column("authority", sa.Text, primary_key=True),
        sa.Column("response", sa.LargeBinary, nullable=False),
        sa.Column("obtained_at", Instant, nullable=False),
    )
    if op.get_bind().dialect.name == "sqlite":
        keep_anchors_on_sqlite()
    else:
        op.execute("""
            CREATE TRIGGER anchors_are_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON anchors
            FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()
        """)


def keep_anchors_on_sqlite() -> None:
    refuse = "BEGIN SELECT RAISE(ABORT, 'anchors are never changed or deleted'); END"
    for verb in ("UPDATE", "DELETE"):
        op.execute(f"CREATE TRIGGER anchors_are_kept_on_{verb.lower()} BEFORE {verb} ON anchors {refuse}")
    # INSERT OR REPLACE deletes the old row without asking the DELETE trigger.
    op.execute(f"""
        CREATE TRIGGER anchors_are_kept_on_replace BEFORE INSERT ON anchors
        WHEN EXISTS (SELECT 1 FROM anchors WHERE size = NEW.size AND authority = NEW.authority) {refuse}
    """)
