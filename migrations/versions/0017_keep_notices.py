"""By language, the SHA-256 of each privacy notice that a newsletter had, newest first."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    op.add_column("newsletters", sa.Column("notices", sa.JSON, nullable=False, server_default="{}"))
