"""The log of consent events: what is sealed can never be changed, and what is written is always owed a seal.

Each event carries the hash that the log will hold, from the moment it is written: erasure may come before sealing, and
takes away what the hash was made from. A trigger notes each event as unsealed, so that no way of writing one forgets.
"""

import hashlib

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

SEALED = {
    "log_entries": "position = NEW.position OR event_id = NEW.event_id",
    "tree_nodes": "level = NEW.level AND number = NEW.number",
    "checkpoints": "size = NEW.size",
    "log_keys": "verification_key = NEW.verification_key",
}
"""Each with what makes a new row the same as an old one."""
NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")
EVENTS_REFUSAL = "consent events are never changed or deleted; erasure blanks evidence and salt"
EVENTS_KEPT = ("id", "type", "subscriber_id", "subscription_id", "newsletter", "occurred_at", "evidence_hash")


def upgrade() -> None:
    create_tables()
    if op.get_bind().dialect.name == "sqlite":
        hash_evidence_on_sqlite()
        keep_log_on_sqlite()
    else:
        hash_evidence_on_postgresql()
        keep_log_on_postgresql()


def create_tables() -> None:
    op.create_table(
        "unsealed_events",
        sa.Column("number", NUMBER, primary_key=True),
        sa.Column("event_id", sa.Uuid, nullable=False),
        sa.UniqueConstraint("event_id"),
    )
    op.create_table(
        "log_entries",
        sa.Column("position", NUMBER, primary_key=True, autoincrement=False),
        sa.Column("event_id", sa.Uuid, sa.ForeignKey("consent_events.id"), nullable=False),
        sa.Column("leaf", sa.LargeBinary, nullable=False),
        sa.UniqueConstraint("event_id"),
        sa.CheckConstraint("position >= 0", name="position"),
    )
    op.create_table(
        "tree_nodes",
        sa.Column("level", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("number", NUMBER, primary_key=True, autoincrement=False),
        sa.Column("hash", sa.LargeBinary, nullable=False),
        sa.CheckConstraint("level > 0 AND number >= 0", name="inner"),
    )
    op.create_table(
        "checkpoints",
        sa.Column("size", NUMBER, primary_key=True, autoincrement=False),
        sa.Column("root", sa.LargeBinary, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.CheckConstraint("size > 0", name="size"),
    )
    op.create_table(
        "log_keys",
        sa.Column("verification_key", sa.Text, primary_key=True),
        sa.Column("since_size", NUMBER, nullable=False),
        sa.Column("introduction", sa.Text, nullable=False),
    )


def hash_evidence_on_postgresql() -> None:
    op.add_column("consent_events", sa.Column("evidence_hash", sa.Text))
    op.execute("ALTER TABLE consent_events DISABLE TRIGGER consent_events_are_kept")
    # No event was erased yet: nothing that erases came before this.
    op.execute("""
        UPDATE consent_events SET evidence_hash = encode(
            sha256(convert_to('jawel/consent/v1' || chr(10), 'UTF8') || decode(salt, 'hex')
                || convert_to(evidence, 'UTF8')),
            'hex'
        )
    """)
    op.execute("ALTER TABLE consent_events ENABLE TRIGGER consent_events_are_kept")
    op.alter_column("consent_events", "evidence_hash", nullable=False)
    op.execute("INSERT INTO unsealed_events (event_id) SELECT id FROM consent_events ORDER BY occurred_at, id")
    op.execute("""
        CREATE FUNCTION owe_a_seal() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            INSERT INTO unsealed_events (event_id) VALUES (NEW.id);
            RETURN NULL;
        END $$
    """)
    op.execute("""
        CREATE TRIGGER consent_events_are_owed_a_seal AFTER INSERT ON consent_events
        FOR EACH ROW EXECUTE FUNCTION owe_a_seal()
    """)


def hash_evidence_on_sqlite() -> None:
    connection = op.get_bind()
    for verb in ("update", "delete", "replace"):
        op.execute(f"DROP TRIGGER consent_events_are_kept_on_{verb}")
    op.add_column("consent_events", sa.Column("evidence_hash", sa.Text, nullable=False, server_default=""))
    for event in connection.execute(sa.text("SELECT id, evidence, salt FROM consent_events")).all():
        data = b"jawel/consent/v1\n" + bytes.fromhex(event.salt) + event.evidence.encode()
        connection.execute(
            sa.text("UPDATE consent_events SET evidence_hash = :hash WHERE id = :id"),
            {"hash": hashlib.sha256(data).hexdigest(), "id": event.id},
        )
    with op.batch_alter_table("consent_events") as events:
        events.alter_column("evidence_hash", server_default=None)
    op.execute("INSERT INTO unsealed_events (event_id) SELECT id FROM consent_events ORDER BY occurred_at, id")
    op.execute("""
        CREATE TRIGGER consent_events_are_owed_a_seal AFTER INSERT ON consent_events
        BEGIN INSERT INTO unsealed_events (event_id) VALUES (NEW.id); END
    """)
    keep_events_on_sqlite()


def keep_events_on_sqlite() -> None:
    unchanged = " AND ".join(f"NEW.{name} IS OLD.{name}" for name in EVENTS_KEPT)
    refuse = f"BEGIN SELECT RAISE(ABORT, '{EVENTS_REFUSAL}'); END"
    op.execute(f"""
        CREATE TRIGGER consent_events_are_kept_on_update BEFORE UPDATE ON consent_events
        WHEN NOT (NEW.evidence IS NULL AND NEW.salt IS NULL AND {unchanged}) {refuse}
    """)
    op.execute(f"CREATE TRIGGER consent_events_are_kept_on_delete BEFORE DELETE ON consent_events {refuse}")
    op.execute(f"""
        CREATE TRIGGER consent_events_are_kept_on_replace BEFORE INSERT ON consent_events
        WHEN EXISTS (SELECT 1 FROM consent_events WHERE id = NEW.id) {refuse}
    """)


def keep_log_on_postgresql() -> None:
    for table in SEALED:
        op.execute(f"""
            CREATE TRIGGER {table}_are_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}
            FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()
        """)


def keep_log_on_sqlite() -> None:
    for table, same in SEALED.items():
        refuse = f"BEGIN SELECT RAISE(ABORT, '{table} are never changed or deleted'); END"
        for verb in ("UPDATE", "DELETE"):
            op.execute(f"CREATE TRIGGER {table}_are_kept_on_{verb.lower()} BEFORE {verb} ON {table} {refuse}")
        # INSERT OR REPLACE deletes the old row without asking the DELETE trigger.
        op.execute(f"""
            CREATE TRIGGER {table}_are_kept_on_replace BEFORE INSERT ON {table}
            WHEN EXISTS (SELECT 1 FROM {table} WHERE {same}) {refuse}
        """)
