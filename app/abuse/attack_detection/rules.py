"""Attack rules: pure functions that decide from one hour's counts alone, checked by a table of examples.

Of the people who ask for a letter, most open it and confirm. A form that is used to fill strangers' mailboxes shows the
opposite, whatever the source of its requests; strangers who decline ("this was not me") show it sooner.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

HOUR = timedelta(hours=1)
MANY_REQUESTS = 200
MANY_DECLINES = 10
PERCENT = 5


@dataclass(frozen=True, slots=True)
class Counts:
    """Counts of one newsletter in the last hour."""

    requests: int = 0
    confirmations: int = 0
    declines: int = 0


NOTHING = Counts()


@dataclass(frozen=True, slots=True)
class Switch:
    is_tripped: bool
    reason: str
    """In plain words, for the operator."""
    hour: Counts
    """The counts at that time."""


def sign_of_attack(hour: Counts) -> str | None:
    """The reason, if the counts look like an attack."""
    if hour.requests >= MANY_REQUESTS and 100 * hour.confirmations < PERCENT * hour.requests:
        return f"{hour.requests} requests and {hour.confirmations} confirmations in an hour: fewer than {PERCENT} %"
    if hour.declines >= MANY_DECLINES and 100 * hour.declines > PERCENT * hour.requests:
        return f"{hour.requests} requests and {hour.declines} declines in an hour: more than {PERCENT} %"
    return None


def judge(attacked_at: datetime | None, hour: Counts, now: datetime) -> Switch | None:
    """The switch that is due, or None. `attacked_at`: when a tripped breaker last saw an attack; None if not tripped.

    An `attacked_at` more than an hour in the future was written while a clock was ahead, and is ignored.
    """
    sign = sign_of_attack(hour)
    if sign and attacked_at is None:
        return Switch(True, sign, hour)
    if not sign and attacked_at is not None and not now - HOUR < attacked_at <= now + HOUR:
        return Switch(False, "nothing looked like an attack for an hour", hour)
    return None
