"""Newsletters under attack, how that is known, and the proofs of work that were used up."""

import sqlalchemy as sa
from alembic import op

from app.database import Instant

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    op.create_table(
        "breakers",
        sa.Column("newsletter", sa.Text, primary_key=True),
        sa.Column("tripped_at", Instant, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("attacked_at", Instant, nullable=False),
        sa.ForeignKeyConstraint(["newsletter"], ["newsletters.slug"], name="fk_breakers_newsletter"),
    )
    op.create_table(
        "breaker_changes",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("newsletter", sa.Text, nullable=False),
        sa.Column("changed_at", Instant, nullable=False),
        sa.Column("is_tripped", sa.Boolean, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("requests", sa.Integer, nullable=False),
        sa.Column("confirmations", sa.Integer, nullable=False),
        sa.Column("declines", sa.Integer, nullable=False),
        sa.ForeignKeyConstraint(["newsletter"], ["newsletters.slug"], name="fk_breaker_changes_newsletter"),
    )
    op.create_index("ix_breaker_changes_changed_at", "breaker_changes", ["changed_at"])
    op.create_table(
        "breaker_minutes",
        sa.Column("minute", Instant, primary_key=True),
        sa.Column("newsletter", sa.Text, primary_key=True),
        sa.Column("requests", sa.Integer, nullable=False),
        sa.Column("confirmations", sa.Integer, nullable=False),
        sa.Column("declines", sa.Integer, nullable=False),
    )
    op.create_table(
        "breaker_progress",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("next_position", sa.BigInteger, nullable=False),
        sa.CheckConstraint("id = 1", name="one_row"),
    )
    op.create_table(
        "spent_proofs",
        sa.Column("proof", sa.Text, primary_key=True),
        sa.Column("expires_at", Instant, nullable=False),
    )
    op.create_index("ix_spent_proofs_expires_at", "spent_proofs", ["expires_at"])
