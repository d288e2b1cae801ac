"""How much of the log is public (LOG_PUBLISH).

On a quiet service the number of entries that a signup adds reveals whether the address is known. So strangers see the
log, and proofs that lead to its head, as of the last midnight.
"""

from datetime import UTC, datetime

from app import clock
from app.web import current
from config import LogPublish

NOTHING_YET = datetime(1, 1, 1, tzinfo=UTC)


def until() -> datetime | None:
    """Checkpoints signed later are shown only to keys. None: strangers see the whole log."""
    publish = current.settings().log_publish
    if publish is LogPublish.LIVE:
        return None
    if publish is LogPublish.NEVER:
        return NOTHING_YET
    return clock.now().replace(hour=0, minute=0, second=0, microsecond=0)
