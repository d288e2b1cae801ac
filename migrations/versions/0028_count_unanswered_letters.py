"""A letter whose content was sent and whose reply never came is counted, as it may have arrived each time.

What became of the envelope sender is remembered for each mail server, so that a restart does not try it anew.
"""

import sqlalchemy as sa
from alembic import op

from app.database import Instant
from migrations import signup_functions

revision = "0028"
down_revision = "0027"


def upgrade() -> None:
    op.add_column("letters", sa.Column("unanswered", sa.Integer, nullable=False, server_default="0"))
    op.create_table(
        "plain_envelopes",
        sa.Column("server", sa.Text, nullable=False),
        sa.Column("since", Instant, nullable=False),
        sa.PrimaryKeyConstraint("server", name="pk_plain_envelopes"),
    )
    signup_functions.replace(op.get_bind())
