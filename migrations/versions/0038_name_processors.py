"""Who processes data for the controller is kept with it: notice, pages, receipts and record name the same ones."""

import sqlalchemy as sa
from alembic import op

revision = "0038"
down_revision = "0037"


def upgrade() -> None:
    op.add_column("controllers", sa.Column("processors", sa.JSON, server_default="[]", nullable=False))
