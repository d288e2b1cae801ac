"""Find the subscriptions of a letter: when it is sent, and for the foreign key each time a letter is erased.

Without it either reads the whole table, once a letter.
"""

from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.create_index("ix_subscriptions_letter_id", "subscriptions", ["letter_id"])
