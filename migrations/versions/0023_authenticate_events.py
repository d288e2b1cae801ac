"""Each consent event bears a MAC of the application that wrote it, and what bears none is set aside unsealed.

Events from before this have no MAC. Those in the log need none: its signature stands for them. For those that still
wait an operator has to vouch, by `jawel ledger adopt`.
"""

import sqlalchemy as sa
from alembic import op

from app.database import Instant

revision = "0023"
down_revision = "0022"

REFUSAL = "consent events are never changed or deleted; erasure blanks evidence and salt"
KEPT = ("id", "type", "subscriber_id", "subscription_id", "newsletter", "occurred_at", "evidence_hash", "mac")


def upgrade() -> None:
    op.add_column("consent_events", sa.Column("mac", sa.Text))
    op.add_column("unsealed_events", sa.Column("mac", sa.Text))
    op.create_table(
        "refused_events",
        sa.Column("event_id", sa.Uuid, primary_key=True),
        sa.Column("refused_at", Instant, nullable=False),
    )
    # On PostgreSQL the trigger compares whole rows, whatever columns they have.
    if op.get_bind().dialect.name == "sqlite":
        keep_macs_on_sqlite()


def keep_macs_on_sqlite() -> None:
    unchanged = " AND ".join(f"NEW.{name} IS OLD.{name}" for name in KEPT)
    op.execute("DROP TRIGGER consent_events_are_kept_on_update")
    op.execute(f"""
        CREATE TRIGGER consent_events_are_kept_on_update BEFORE UPDATE ON consent_events
        WHEN NOT (NEW.evidence IS NULL AND NEW.salt IS NULL AND {unchanged})
        BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END
    """)
