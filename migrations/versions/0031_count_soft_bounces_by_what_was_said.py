"""Whether a soft bounce is about the mailbox is stored with it: its code does not tell, its words did.

What was received before is judged by its code, as it was. What an old version still writes does not count, which costs
a dead mailbox a few letters and nobody a subscription.
"""

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0030"


def upgrade() -> None:
    op.add_column("feedback_reports", sa.Column("counts", sa.Boolean, nullable=False, server_default=sa.false()))
    reports = sa.table("feedback_reports", sa.column("kind"), sa.column("code"), sa.column("counts"))
    code = reports.c.code
    about_mailbox = sa.or_(*(code.like(f"%_.{subject}._%") for subject in (1, 2, 4)))
    about_sender = sa.or_(code.like("%.1.7"), code.like("%.1.8"))
    counted = sa.or_(code.not_like("%.%"), about_mailbox & ~about_sender)
    op.execute(sa.update(reports).where(reports.c.kind == "soft_bounce", counted).values(counts=sa.true()))
