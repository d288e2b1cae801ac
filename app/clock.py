"""The one place that reads the time."""

from datetime import UTC, datetime


def now() -> datetime:
    """The present instant in UTC, cut to the millisecond, which is what evidence records."""
    instant = datetime.now(UTC)
    return instant.replace(microsecond=instant.microsecond // 1000 * 1000)
