"""Who must not be written to, and how much mail an address has been sent that nobody asked to be sent again.

Both hold keyed digests only: they outlive the erasure of the address that they protect.
"""

import sqlalchemy as sa
from alembic import op

from app.database import Instant

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.create_table(
        "suppressions",
        sa.Column("digest", sa.Text, primary_key=True),
        sa.Column("reason", sa.Text, primary_key=True),
        sa.Column("since", Instant, nullable=False),
        sa.Column("until", Instant),
        sa.CheckConstraint("reason IN ('declined', 'complaint', 'hard_bounce')", name="reason"),
    )
    op.create_table(
        "mail_budgets",
        sa.Column("digest", sa.Text, primary_key=True),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("confirmations", sa.JSON, nullable=False),
        sa.Column("told_at", Instant),
        sa.Column("used_at", Instant, nullable=False),
    )
