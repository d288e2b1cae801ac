"""Consent events: inserted once, and then for ever what they were.

The database itself refuses every change but one, for code has mistakes and consoles have users: erasure may blank the
evidence together with its salt. No foreign keys, as an event outlives the rows that it speaks of.
"""

import sqlalchemy as sa
from alembic import op

from app.database import Instant

revision = "0005"
down_revision = "0004"

REFUSAL = "consent events are never changed or deleted; erasure blanks evidence and salt"
TYPES = (
    "'subscription.requested', 'letter.accepted', 'subscription.confirmed', 'subscription.declined', "
    "'subscription.unsubscribed', 'subscription.expired', 'subscription.bounced', 'subscription.complained', "
    "'subscriber.erased'"
)
KEPT = ("id", "type", "subscriber_id", "subscription_id", "newsletter", "occurred_at")


def upgrade() -> None:
    op.create_table(
        "consent_events",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("subscriber_id", sa.Uuid, nullable=False),
        sa.Column("subscription_id", sa.Uuid),
        sa.Column("newsletter", sa.Text),
        sa.Column("occurred_at", Instant, nullable=False),
        sa.Column("evidence", sa.Text),
        sa.Column("salt", sa.Text),
        sa.CheckConstraint(f"type IN ({TYPES})", name="type"),
        sa.CheckConstraint("(evidence IS NULL) = (salt IS NULL)", name="erased_together"),
    )
    op.create_index("ix_consent_events_subscription_id", "consent_events", ["subscription_id"])
    op.create_index("ix_consent_events_subscriber_id", "consent_events", ["subscriber_id"])
    if op.get_bind().dialect.name == "sqlite":
        keep_events_on_sqlite()
    else:
        keep_events_on_postgresql()


def keep_events_on_postgresql() -> None:
    # Whole rows are compared, so that a column added later is kept from the first day.
    op.execute(f"""
        CREATE FUNCTION keep_consent_event() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF TG_OP = 'UPDATE' AND NEW.evidence IS NULL AND NEW.salt IS NULL
                AND to_jsonb(NEW) - 'evidence' - 'salt' = to_jsonb(OLD) - 'evidence' - 'salt'
            THEN
                RETURN NEW;
            END IF;
            RAISE EXCEPTION '{REFUSAL}' USING ERRCODE = 'restrict_violation';
        END $$
    """)
    op.execute("""
        CREATE TRIGGER consent_events_are_kept BEFORE UPDATE OR DELETE ON consent_events
        FOR EACH ROW EXECUTE FUNCTION keep_consent_event()
    """)
    op.execute("""
        CREATE TRIGGER consent_events_are_not_truncated BEFORE TRUNCATE ON consent_events
        FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()
    """)


def keep_events_on_sqlite() -> None:
    unchanged = " AND ".join(f"NEW.{name} IS OLD.{name}" for name in KEPT)
    refuse = f"BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END"
    op.execute(f"""
        CREATE TRIGGER consent_events_are_kept_on_update BEFORE UPDATE ON consent_events
        WHEN NOT (NEW.evidence IS NULL AND NEW.salt IS NULL AND {unchanged}) {refuse}
    """)
    op.execute(f"CREATE TRIGGER consent_events_are_kept_on_delete BEFORE DELETE ON consent_events {refuse}")
    # INSERT OR REPLACE deletes the old row without asking the DELETE trigger.
    op.execute(f"""
        CREATE TRIGGER consent_events_are_kept_on_replace BEFORE INSERT ON consent_events
        WHEN EXISTS (SELECT 1 FROM consent_events WHERE id = NEW.id) {refuse}
    """)
