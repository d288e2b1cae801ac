"""Suppressions are lifted by hand, as an event: one more type.

On SQLite the CHECK is changed where the schema is written down, by the procedure that SQLite describes for changes that
leave stored rows as they are (lang_altertable.html). Making the table anew is no way: log entries refer to its rows.
"""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"

TYPES = (
    "'subscription.requested', 'letter.accepted', 'subscription.confirmed', 'subscription.declined', "
    "'subscription.unsubscribed', 'subscription.expired', 'subscription.bounced', 'subscription.complained', "
    "'suppression.lifted', 'subscriber.erased'"
)
BEFORE, AFTER = "'subscriber.erased')", "'suppression.lifted', 'subscriber.erased')"


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
