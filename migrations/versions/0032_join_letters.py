"""A request joins a confirmation letter that has not left yet, also where another form owes it.

So the code of one letter can be typed into several forms: the letter knows the first, the subscriptions the others.
"""

import sqlalchemy as sa
from alembic import op

from migrations import signup_functions

revision = "0032"
down_revision = "0031"


def upgrade() -> None:
    op.add_column("subscriptions", sa.Column("attempt", sa.Text))
    is_set = sa.text("attempt IS NOT NULL")
    op.create_index(
        "ix_subscriptions_attempt",
        "subscriptions",
        ["attempt"],
        postgresql_where=is_set,
        sqlite_where=is_set,
    )
    signup_functions.replace(op.get_bind())
