"""One row for each subscriber and newsletter: where the person stands, and since when.

The checks state what no code path may break: only a pending one expires, and an ended one says how it ended.
"""

import sqlalchemy as sa
from alembic import op

from app.database import Instant

revision = "0004"
down_revision = "0003"

PENDING = sa.text("status = 'pending'")


def upgrade() -> None:
    op.create_table(
        "subscriptions",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("subscriber_id", sa.Uuid, nullable=False),
        sa.Column("newsletter", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("since", Instant, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("nonce", sa.Text, nullable=False),
        sa.Column("letter_id", sa.Uuid),
        sa.Column("asked_at", Instant),
        sa.Column("expires_at", Instant),
        sa.Column("ended_as", sa.Text),
        sa.Column("ended_at", Instant),
        sa.Column("reason", sa.Text),
        sa.ForeignKeyConstraint(
            ["subscriber_id"], ["subscribers.id"], name="fk_subscriptions_subscriber_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["newsletter"], ["newsletters.slug"], name="fk_subscriptions_newsletter"),
        sa.ForeignKeyConstraint(["letter_id"], ["letters.id"], name="fk_subscriptions_letter_id", ondelete="SET NULL"),
        sa.UniqueConstraint("subscriber_id", "newsletter", name="uq_subscriptions_subscriber_id_newsletter"),
        sa.CheckConstraint(
            "status IN ('pending', 'confirmed', 'unsubscribed', 'bounced', 'complained')", name="status"
        ),
        sa.CheckConstraint("ended_as IN ('unsubscribed', 'bounced', 'complained')", name="ended_as"),
        sa.CheckConstraint("(status = 'pending') = (expires_at IS NOT NULL)", name="pending_expires"),
        sa.CheckConstraint("status IN ('pending', 'confirmed') OR ended_as = status", name="ended"),
    )
    op.create_index("ix_subscriptions_newsletter_status_id", "subscriptions", ["newsletter", "status", "id"])
    op.create_index(
        "ix_subscriptions_expiring", "subscriptions", ["expires_at"], postgresql_where=PENDING, sqlite_where=PENDING
    )
