"""What mail systems reported about letters, so that a report counts once however often it comes.

Under keyed digests, as suppressions are. A suppression for a bounce forbids asking only for a while; and what ended
without ever being confirmed is kept no longer than a request that nobody confirmed.
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
        sa.Column("code", sa.Text, nullable=False),
        sa.Column("received_at", Instant, nullable=False),
        sa.CheckConstraint("kind IN ('hard_bounce', 'soft_bounce', 'complaint', 'unsubscribe')", name="kind"),
    )
    op.create_index("ix_feedback_reports_digest", "feedback_reports", ["digest"])
    op.create_index("ix_feedback_reports_received_at", "feedback_reports", ["received_at"])
    op.add_column("suppressions", sa.Column("asking_until", Instant))
    op.add_column("subscriptions", sa.Column("lapses_at", Instant))
    op.create_index(
        "ix_subscriptions_lapsing",
        "subscriptions",
        ["lapses_at"],
        postgresql_where=sa.text("lapses_at IS NOT NULL"),
        sqlite_where=sa.text("lapses_at IS NOT NULL"),
    )
