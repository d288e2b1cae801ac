"""Changes of a person's language or address are told, to services that keep a copy: one more event type.

On SQLite the CHECK is changed where the schema is written down, as in migration 0025, and for the same reason.
"""

import sqlalchemy as sa
from alembic import op

revision = "0037"
down_revision = "0036"

TYPES = (
    "'subscription.requested', 'letter.accepted', 'subscription.confirmed', 'subscription.declined', "
    "'subscription.unsubscribed', 'subscription.expired', 'subscription.bounced', 'subscription.complained', "
    "'suppression.lifted', 'subscriber.changed', 'subscriber.erased'"
)
BEFORE, AFTER = "'subscriber.erased')", "'subscriber.changed', 'subscriber.erased')"


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        widen_on_sqlite()
    else:
        op.drop_constraint(op.f("ck_consent_events_type"), "consent_events")
        op.create_check_constraint("type", "consent_events", sa.text(f"type IN ({TYPES})"))


def widen_on_sqlite() -> None:
    connection = op.get_bind()
    version = connection.exec_driver_sql("PRAGMA schema_version").scalar_one()
    connection.exec_driver_sql("PRAGMA writable_schema=ON")
    changed = connection.exec_driver_sql(
        "UPDATE sqlite_master SET sql = replace(sql, ?, ?)"
        " WHERE type = 'table' AND name = 'consent_events' AND instr(sql, ?)",
        (BEFORE, AFTER, BEFORE),
    )
    assert changed.rowcount == 1
    # Every connection, this one too, reads the schema anew where it finds another number.
    connection.exec_driver_sql(f"PRAGMA schema_version={version + 1}")
    connection.exec_driver_sql("PRAGMA writable_schema=OFF")
