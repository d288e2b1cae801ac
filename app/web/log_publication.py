"""How much of the log is for everyone to see, as LOG_PUBLISH says.

On a quiet service somebody else's signup grows the log by other numbers where the address is known. So what strangers
see of it, in the log itself and in proofs that lead to its head, is of the last midnight.
"""

from datetime import UTC, datetime

from app import clock
from app.web import current
from config import LogPublish

NOTHING_YET = datetime(1, 1, 1, tzinfo=UTC)


def until() -> datetime | None:
    """What was signed later is shown to keys alone. None: strangers see all of it."""
    publish = current.settings().log_publish
    if publish is LogPublish.LIVE:
        return None
    if publish is LogPublish.NEVER:
        return NOTHING_YET
    return clock.now().replace(hour=0, minute=0, second=0, microsecond=0)
