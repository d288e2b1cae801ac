"""What mail systems reported about letters, so that a report counts once however often it comes.

Under keyed digests, as suppressions are.
"""

import sqlalchemy as sa
from alembic import op

from app.database import Instant

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    op.create_table(
        "feedback_reports",
        sa.Column("fingerprint", sa.Text, primary_key=True),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("received_at", Instant, nullable=False),
        sa.CheckConstraint("kind IN ('hard_bounce', 'soft_bounce', 'complaint', 'unsubscribe')", name="kind"),
    )
    op.create_index("ix_feedback_reports_digest", "feedback_reports", ["digest"])
    op.create_index("ix_feedback_reports_received_at", "feedback_reports", ["received_at"])
