"""Retention: stubs of requests that nobody confirmed, and indexes by which what is kept no longer is found.

Requests that lapsed before there were stubs get one without a digest: their evidence is to go as well.
"""

import sqlalchemy as sa
from alembic import op

from app.database import Instant

revision = "0012"
down_revision = "0011"

HAS_ENDED = sa.text("status NOT IN ('pending', 'confirmed')")
HAS_AN_END = sa.text("until IS NOT NULL")


def upgrade() -> None:
    op.create_table(
        "stubs",
        sa.Column("subscription_id", sa.Uuid, primary_key=True),
        sa.Column("subscriber_id", sa.Uuid, nullable=False),
        sa.Column("newsletter", sa.Text, nullable=False),
        sa.Column("digest", sa.Text),
        sa.Column("lapsed_at", Instant, nullable=False),
    )
    for column in ("digest", "subscriber_id", "lapsed_at"):
        op.create_index(f"ix_stubs_{column}", "stubs", [column])
    # What had lapsed is the only evidence so far whose subscription is gone.
    op.execute("""
        INSERT INTO stubs (subscription_id, subscriber_id, newsletter, lapsed_at)
        SELECT subscription_id, subscriber_id, newsletter, max(occurred_at) FROM consent_events
        WHERE evidence IS NOT NULL AND subscription_id IS NOT NULL
            AND NOT EXISTS (SELECT 1 FROM subscriptions WHERE subscriptions.id = consent_events.subscription_id)
        GROUP BY subscription_id, subscriber_id, newsletter
    """)
    op.create_index(
        "ix_subscriptions_ended",
        "subscriptions",
        ["newsletter", "ended_at"],
        postgresql_where=HAS_ENDED,
        sqlite_where=HAS_ENDED,
    )
    op.create_index(
        "ix_suppressions_ending", "suppressions", ["until"], postgresql_where=HAS_AN_END, sqlite_where=HAS_AN_END
    )
    op.create_index("ix_mail_budgets_used_at", "mail_budgets", ["used_at"])
