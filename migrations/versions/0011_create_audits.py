"""What audits of the log found, for `jawel doctor` and for workers that ask whose turn it is."""

import sqlalchemy as sa
from alembic import op

from app.database import Instant

revision = "0011"
down_revision = "0010"

NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "audits",
        sa.Column("day", sa.Text, primary_key=True),
        sa.Column("begun_at", Instant, nullable=False),
        sa.Column("finished_at", Instant),
        sa.Column("events", NUMBER),
        sa.Column("findings", NUMBER),
    )
