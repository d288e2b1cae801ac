"""When each checkpoint was signed, so that the log can be shown as it stood; and counts over all processes.

The database refuses UPDATE on checkpoints, so those that are there get their instant by a default: the beginning of
time, as everybody could see them at once. The default stays, for a worker of the version before that still seals while
this one starts: what that signs is published at once, as that version does.
"""

import sqlalchemy as sa
from alembic import op

from app.database import Instant

revision = "0024"
down_revision = "0023"

AT_ONCE = "1970-01-01T00:00:00.000+00:00"


def upgrade() -> None:
    op.add_column("checkpoints", sa.Column("signed_at", Instant, nullable=False, server_default=AT_ONCE))
    op.create_index("ix_checkpoints_signed_at_size", "checkpoints", ["signed_at", "size"])
    op.create_table(
        "counters",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("kind", sa.Text, primary_key=True),
        sa.Column("total", sa.BigInteger, nullable=False),
    )
