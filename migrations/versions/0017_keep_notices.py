"""The privacy notice of each newsletter, as it was composed when the catalogue was applied."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    op.add_column("newsletters", sa.Column("notices", sa.JSON, nullable=False, server_default="{}"))
