"""How much mail may go, in all, to a domain, and for a newsletter; and which letters nobody has worked for."""

import sqlalchemy as sa
from alembic import op

from app.database import Instant

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    op.create_table(
        "allowances",
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("used_until", Instant, nullable=False),
    )
    op.create_index("ix_allowances_used_until", "allowances", ["used_until"])
    op.add_column("letters", sa.Column("is_unproven", sa.Boolean, nullable=False, server_default=sa.false()))
