"""Evidence cites who asked, as it cites the words that were shown; so the controller of now is kept like a wording.

Without it, requests would cite nobody until the catalogue is applied again.
"""

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

from app.database import Instant
from app.newsletters import parsing
from app.newsletters.definitions import sha256

revision = "0033"
down_revision = "0032"

CONTROLLERS = sa.table("controllers", sa.column("terms", sa.JSON))
WORDINGS = sa.table(
    "wordings", sa.column("sha256", sa.Text), sa.column("text", sa.Text), sa.column("first_used_at", Instant)
)


def upgrade() -> None:
    terms = op.get_bind().execute(sa.select(CONTROLLERS.c.terms)).scalar()
    if terms is None:
        return
    identity = parsing.read_controller(terms, []).identity
    kept = {"sha256": sha256(identity), "text": identity, "first_used_at": datetime.now(UTC)}
    op.get_bind().execute(sa.insert(WORDINGS).values(kept))
