"""The one place that reads the time."""

import time
from datetime import UTC, datetime


def seconds() -> int:
    """Whole seconds since 1970."""
    return int(time.time())


def now() -> datetime:
    """The present instant in UTC, cut to the millisecond, which is what evidence records."""
    instant = datetime.now(UTC)
    return instant.replace(microsecond=instant.microsecond // 1000 * 1000)
