"""Who left a newsletter is remembered by a keyed digest once the row that says so is erased.

Nothing is filled in: of whoever is kept, the row still says it, and of whoever was erased before this nothing is known.
"""

import sqlalchemy as sa
from alembic import op

revision = "0034"
down_revision = "0033"


def upgrade() -> None:
    op.create_table(
        "leavings",
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("newsletter", sa.Text, nullable=False),
        sa.Column("left_on", sa.Date, nullable=False),
        sa.PrimaryKeyConstraint("digest", "newsletter", name="pk_leavings"),
        sa.ForeignKeyConstraint(["newsletter"], ["newsletters.slug"], name="fk_leavings_newsletter"),
    )
