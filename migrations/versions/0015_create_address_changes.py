"""Moves of a person to another address."""

import sqlalchemy as sa
from alembic import op

from app.database import Instant

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    op.create_table(
        "address_changes",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("subscriber_id", sa.Uuid, sa.ForeignKey("subscribers.id", ondelete="CASCADE"), nullable=False),
        sa.Column("former", sa.Text, nullable=False),
        sa.Column("former_digest", sa.Text, nullable=False),
        sa.Column("wanted", sa.Text),
        sa.Column("wanted_digest", sa.Text),
        sa.Column("asked_at", Instant, nullable=False),
        sa.Column("confirmed_at", Instant),
        sa.Column("undone_at", Instant),
        sa.Column("ends_at", Instant, nullable=False),
        sa.CheckConstraint("(wanted IS NULL) = (wanted_digest IS NULL)", "wanted_together"),
    )
    for column in ("subscriber_id", "ends_at", "former_digest", "wanted_digest"):
        op.create_index(f"ix_address_changes_{column}", "address_changes", [column])
    op.add_column("subscriptions", sa.Column("former_commitment", sa.Text))
