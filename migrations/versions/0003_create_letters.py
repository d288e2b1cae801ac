"""The outbox: letters owed. The index holds the few that still are, however many were ever sent."""

import sqlalchemy as sa
from alembic import op

from app.database import Instant

revision = "0003"
down_revision = "0002"

STILL_OWED = sa.text("state IN ('queued', 'deferred')")


def upgrade() -> None:
    op.create_table(
        "letters",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("subscriber_id", sa.Uuid, nullable=False),
        sa.Column("language", sa.Text, nullable=False),
        sa.Column("about", sa.JSON, nullable=False),
        sa.Column("asked_from", sa.Text),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("due_at", Instant, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("lease", sa.Uuid),
        sa.Column("leased_until", Instant),
        sa.Column("state_at", Instant, nullable=False),
        sa.Column("reply", sa.Text),
        sa.ForeignKeyConstraint(
            ["subscriber_id"], ["subscribers.id"], name="fk_letters_subscriber_id", ondelete="CASCADE"
        ),
        sa.CheckConstraint("kind IN ('confirmation', 'already_confirmed', 'unsubscribed')", name="kind"),
        sa.CheckConstraint("state IN ('queued', 'deferred', 'sent', 'bounced', 'failed', 'dropped')", name="state"),
    )
    op.create_index("ix_letters_due", "letters", ["due_at"], postgresql_where=STILL_OWED, sqlite_where=STILL_OWED)
    op.create_index("ix_letters_subscriber_id", "letters", ["subscriber_id"])
