"""${message}: say why, not what.

Before this is merged:
- The version that runs now must work on the schema after it, because both run side by side during a deployment. So add
  first; remove, rename or make NOT NULL in a later release, when nothing reads the old shape any more.
- On PostgreSQL nearly every ALTER TABLE keeps all others from the table until the transaction ends. Keep it short: add
  constraints NOT VALID and validate them in the next migration; fill columns in batches, from the worker; on a table
  that has grown large, have the index made by hand with CONCURRENTLY first, and write if_not_exists=True here.
- Name every constraint, give every set of words a CHECK, and try it on SQLite too, where a changed column means that
  the table is copied and its triggers are lost.
- A signup is written by a function of PostgreSQL that names each column of mail_budgets, subscribers, letters,
  subscriptions and consent_events: where one of these gets a column, end with signup_functions.replace(op.get_bind()).
- There is no downgrade: evidence would go with it. A mistake is mended by the next migration.
"""

import sqlalchemy as sa
from alembic import op
${imports + "\n" if imports else ""}
revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}


def upgrade() -> None:
    ${upgrades if upgrades else "pass"}
