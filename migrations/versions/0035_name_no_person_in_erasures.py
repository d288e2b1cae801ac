"""An erased event keeps its type and its day, and neither whose it was nor of which subscription and newsletter.

The tombstone that names it is in a column, because no id ties them any more; the ids that a repeated erasure needs are
in a table of their own, which is purged. What older versions erased stays as it is: their tombstones, which are sealed,
name the same ids.
"""

import sqlalchemy as sa
from alembic import op

from app.database import Instant
from migrations import signup_functions, sqlite_schema

revision = "0035"
down_revision = "0034"

REFUSAL = "consent events are never changed or deleted; erasure blanks evidence, salt and ids"
KEPT = ("id", "type", "evidence_hash", "mac")
BLANKED = ("subscriber_id", "subscription_id", "newsletter")
BEFORE, AFTER = "subscriber_id CHAR(32) NOT NULL", "subscriber_id CHAR(32)"


def upgrade() -> None:
    op.create_table(
        "erasures",
        sa.Column("event_id", sa.Uuid, nullable=False),
        sa.Column("subscription_id", sa.Uuid, nullable=False),
        sa.Column("subscriber_id", sa.Uuid, nullable=False),
        sa.Column("newsletter", sa.Text, nullable=False),
        sa.Column("is_of_person", sa.Boolean, nullable=False),
        sa.Column("erased_at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("event_id", "subscription_id", name="pk_erasures"),
    )
    for name in ("subscription_id", "subscriber_id", "erased_at"):
        op.create_index(f"ix_erasures_{name}", "erasures", [name])
    op.add_column("consent_events", sa.Column("erased_by", sa.Uuid))
    if op.get_bind().dialect.name == "sqlite":
        blank_ids_on_sqlite()
    else:
        blank_ids_on_postgresql()
    signup_functions.replace(op.get_bind())


def blank_ids_on_postgresql() -> None:
    op.alter_column("consent_events", "subscriber_id", nullable=True)
    others = "".join(f" - '{name}'" for name in ("evidence", "salt", *BLANKED, "occurred_at", "erased_by"))
    blanked = " AND ".join(f"(NEW.{name} IS NULL OR NEW.{name} = OLD.{name})" for name in BLANKED)
    op.execute(f"""
        CREATE OR REPLACE FUNCTION keep_consent_event() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF TG_OP = 'UPDATE' AND NEW.evidence IS NULL AND NEW.salt IS NULL
                AND to_jsonb(NEW){others} = to_jsonb(OLD){others}
                AND {blanked}
                AND NEW.occurred_at IN (OLD.occurred_at, date_trunc('day', OLD.occurred_at, 'UTC'))
                AND (OLD.erased_by IS NULL OR NEW.erased_by = OLD.erased_by)
            THEN
                RETURN NEW;
            END IF;
            RAISE EXCEPTION '{REFUSAL}' USING ERRCODE = 'restrict_violation';
        END $$
    """)


def blank_ids_on_sqlite() -> None:
    sqlite_schema.replace(op.get_bind(), "consent_events", BEFORE, AFTER)
    kept = " AND ".join(f"NEW.{name} IS OLD.{name}" for name in KEPT)
    blanked = " AND ".join(f"(NEW.{name} IS NULL OR NEW.{name} IS OLD.{name})" for name in BLANKED)
    op.execute("DROP TRIGGER consent_events_are_kept_on_update")
    op.execute(f"""
        CREATE TRIGGER consent_events_are_kept_on_update BEFORE UPDATE ON consent_events
        WHEN NOT (NEW.evidence IS NULL AND NEW.salt IS NULL AND {kept} AND {blanked}
            AND NEW.occurred_at IN (OLD.occurred_at, substr(OLD.occurred_at, 1, 10) || 'T00:00:00.000+00:00')
            AND (OLD.erased_by IS NULL OR NEW.erased_by IS OLD.erased_by))
        BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END
    """)
