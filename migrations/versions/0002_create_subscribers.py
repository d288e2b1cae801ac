"""People: an address as typed, and the form in which addresses are compared."""

import sqlalchemy as sa
from alembic import op

from app.database import Instant

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "subscribers",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("address", sa.Text, nullable=False),
        sa.Column("canonical", sa.Text, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("language", sa.Text, nullable=False),
        sa.Column("commitment_key", sa.Text, nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.UniqueConstraint("canonical", name="uq_subscribers_canonical"),
    )
