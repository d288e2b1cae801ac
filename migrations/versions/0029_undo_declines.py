"""What a decline ended is kept for half an hour, in which the page that answered can take it back.

Beside the undo id: until when the request could be confirmed, and of a suppression, which press alone made it.
"""

import sqlalchemy as sa
from alembic import op

from app.database import Instant
from migrations import signup_functions

revision = "0029"
down_revision = "0028"


def upgrade() -> None:
    op.add_column("subscriptions", sa.Column("undo_expires_at", Instant))
    op.add_column("suppressions", sa.Column("undo_id", sa.Uuid))
    signup_functions.replace(op.get_bind())
