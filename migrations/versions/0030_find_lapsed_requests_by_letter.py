"""A lapsed request keeps the id of its letter, and the digest of the mailbox.

A decline by that letter that comes later, such as behind the one-click of a mail program, then still keeps the mailbox
quiet.
"""

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"


def upgrade() -> None:
    op.add_column("stubs", sa.Column("mailbox_digest", sa.Text))
    op.add_column("stubs", sa.Column("letter_id", sa.Uuid))
    op.create_index("ix_stubs_letter_id", "stubs", ["letter_id"])
