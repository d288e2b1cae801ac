"""How much mail may go, in all, to a domain, and for a newsletter; and which letters nobody has worked for."""

import sqlalchemy as sa
from alembic import op

from app.database import Instant

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    op.create_table(
        "allowances",
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("used_until", Instant, nullable=False),
        sa.Column("turns_until", Instant, nullable=False),
    )
    op.create_index("ix_allowances_used_until", "allowances", ["used_until"])
    op.create_index("ix_allowances_turns_until", "allowances", ["turns_until"])
    op.add_column("letters", sa.Column("is_unproven", sa.Boolean, nullable=False, server_default=sa.false()))
    is_failed = sa.text("state = 'failed'")
    op.create_index("ix_letters_failed", "letters", ["state_at"], postgresql_where=is_failed, sqlite_where=is_failed)
