"""Changes of a person's language or address are told, to services that keep a copy: one more event type."""

import sqlalchemy as sa
from alembic import op

from migrations import sqlite_schema

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
        sqlite_schema.replace(op.get_bind(), "consent_events", BEFORE, AFTER)
    else:
        op.drop_constraint(op.f("ck_consent_events_type"), "consent_events")
        op.create_check_constraint("type", "consent_events", sa.text(f"type IN ({TYPES})"))
