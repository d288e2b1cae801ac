"""Counters of requests, for a service that has no Redis.

UNLOGGED on PostgreSQL: a hit must not wait for the disk, and what is lost in a crash or a failover is a minute's count.
"""

import sqlalchemy as sa
from alembic import op

from app.database import Instant

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.create_table(
        "rate_limits",
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("hits", sa.Integer, nullable=False),
        sa.Column("expires_at", Instant, nullable=False),
        prefixes=["UNLOGGED"] if op.get_bind().dialect.name == "postgresql" else [],
    )
