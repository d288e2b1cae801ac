"""A request that comes to nothing writes what one that is taken writes, and the database undoes it before it commits.

In the same tables, by the same statements, in the same transaction as what stays: so the same pages are touched, the
same checks made, and as much is logged. Nobody ever sees the rows. On SQLite a savepoint does it.
"""

from alembic import op

from migrations import signup_functions

revision = "0026"
down_revision = "0025"


def upgrade() -> None:
    signup_functions.replace(op.get_bind())
