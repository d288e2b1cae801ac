"""Undo names a random value of one ending, and whoever is brought back by it gets a letter: one more kind.

SQLite changes a CHECK only by making the table anew. Dropping the old one deletes its rows as far as foreign keys are
concerned, so each subscription would forget its letter, and its link could not confirm any more.
"""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"

KINDS = (
    "kind IN ('confirmation', 'already_confirmed', 'unsubscribed', 'resubscribed', 'preferences',"
    " 'address_change', 'address_changed')"
)


def upgrade() -> None:
    op.add_column("subscriptions", sa.Column("undo_id", sa.Uuid))
    if op.get_bind().dialect.name == "sqlite":
        op.execute("CREATE TEMPORARY TABLE asked (id PRIMARY KEY, letter_id)")
        op.execute("INSERT INTO asked SELECT id, letter_id FROM subscriptions WHERE letter_id IS NOT NULL")
        with op.batch_alter_table("letters") as letters:
            letters.drop_constraint(op.f("ck_letters_kind"), type_="check")
            letters.create_check_constraint("kind", sa.text(KINDS))
        op.execute("UPDATE subscriptions SET letter_id = asked.letter_id FROM asked WHERE asked.id = subscriptions.id")
        op.execute("DROP TABLE asked")
    else:
        op.drop_constraint(op.f("ck_letters_kind"), "letters")
        op.create_check_constraint("kind", "letters", sa.text(KINDS))
