"""Answers are kept for a day under an Idempotency-Key, so that a repeated request has no second effect."""

import sqlalchemy as sa
from alembic import op

from app.database import Instant

revision = "0036"
down_revision = "0035"


def upgrade() -> None:
    op.create_table(
        "kept_answers",
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("request", sa.Text, nullable=False),
        sa.Column("answer", sa.LargeBinary, nullable=False),
        sa.Column("expires_at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_kept_answers"),
    )
    op.create_index("ix_kept_answers_expires_at", "kept_answers", ["expires_at"])
