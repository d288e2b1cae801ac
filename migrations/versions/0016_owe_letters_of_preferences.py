"""Letters with a code, with a fresh link to the preferences, and about a change of address.

What was a letter with receipts is one with the link to the preferences, which shows them.
SQLite changes a CHECK only by making the table anew. Dropping the old one deletes its rows as far as foreign keys are
concerned, so each subscription would forget its letter, and its link could not confirm any more.
"""

import sqlalchemy as sa
from alembic import op

from app.database import Instant

revision = "0016"
down_revision = "0015"

HAS_AN_ATTEMPT = sa.text("attempt IS NOT NULL")
KINDS = (
    "kind IN ('confirmation', 'already_confirmed', 'unsubscribed', 'preferences', 'address_change', 'address_changed')"
)


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        op.execute("CREATE TEMPORARY TABLE asked (id PRIMARY KEY, letter_id)")
        op.execute("INSERT INTO asked SELECT id, letter_id FROM subscriptions WHERE letter_id IS NOT NULL")
        widen()
        op.execute("UPDATE subscriptions SET letter_id = asked.letter_id FROM asked WHERE asked.id = subscriptions.id")
        op.execute("DROP TABLE asked")
    else:
        widen()
    op.add_column("mail_budgets", sa.Column("linked_at", Instant))
    op.create_index("ix_letters_address_change_id", "letters", ["address_change_id"])
    op.create_index(
        "ix_letters_attempt", "letters", ["attempt"], postgresql_where=HAS_AN_ATTEMPT, sqlite_where=HAS_AN_ATTEMPT
    )


def widen() -> None:
    with op.batch_alter_table("letters") as letters:
        letters.drop_constraint(op.f("ck_letters_kind"), type_="check")
        letters.add_column(sa.Column("attempt", sa.Text))
        letters.add_column(sa.Column("tries", sa.Integer, nullable=False, server_default="0"))
        letters.add_column(sa.Column("address_change_id", sa.Uuid))
        letters.create_foreign_key(
            op.f("fk_letters_address_change_id"),
            "address_changes",
            ["address_change_id"],
            ["id"],
            ondelete="CASCADE",
        )
    op.execute("UPDATE letters SET kind = 'preferences' WHERE kind = 'receipts'")
    with op.batch_alter_table("letters") as letters:
        letters.create_check_constraint("kind", sa.text(KINDS))
