"""Keyed digests of the mailbox that an address probably leads to; and no domain of a person in allowances any more."""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    # Null in rows from before: the key is a setting, so the worker fills them in.
    op.add_column("subscribers", sa.Column("mailbox_digest", sa.Text))
    incomplete = sa.text("mailbox_digest IS NULL")
    op.create_index(
        "ix_subscribers_incomplete",
        "subscribers",
        ["id"],
        postgresql_where=incomplete,
        sqlite_where=incomplete,
    )
    op.add_column("address_changes", sa.Column("former_mailbox_digest", sa.Text))
    op.add_column("address_changes", sa.Column("wanted_mailbox_digest", sa.Text))
    # What was used of an hour's allowances is forgotten. A DELETE would leave the names of domains in the pages.
    op.execute("DELETE FROM allowances" if op.get_bind().dialect.name == "sqlite" else "TRUNCATE allowances")
