"""The budget of a plain address moves into the row of its mailbox, so that most signups write one row and not two.

A row from before says nothing in the new column, and is read as it was meant. Of the last day's budgets of plain
addresses the rows stay where they were, and are not read any more: they go with the day, and the mailbox's count holds.
"""

import sqlalchemy as sa
from alembic import op

from migrations import signup_functions

revision = "0027"
down_revision = "0026"


def upgrade() -> None:
    op.add_column("mail_budgets", sa.Column("to_mailbox", sa.JSON))
    signup_functions.replace(op.get_bind())
    if op.get_bind().dialect.name != "sqlite":
        op.execute("DROP FUNCTION IF EXISTS write_signup(text, text, text, text)")
