"""Suppressions are lifted by hand, as an event: one more type."""

import sqlalchemy as sa
from alembic import op

from migrations import sqlite_schema

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
        sqlite_schema.replace(op.get_bind(), "consent_events", BEFORE, AFTER)
    else:
        op.drop_constraint(op.f("ck_consent_events_type"), "consent_events")
        op.create_check_constraint("type", "consent_events", sa.text(f"type IN ({TYPES})"))
