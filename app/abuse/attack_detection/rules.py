"""What looks like an attack: decided from an hour's counts alone, by pure functions that a table of examples checks.

People confirm: of those who ask for a letter, most open it. A form that is used to fill strangers' mailboxes shows by
the opposite, whoever sends the requests and from wherever; and strangers who say "this was not me" show it sooner.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

HOUR = timedelta(hours=1)
MANY_REQUESTS = 200
MANY_DECLINES = 10
PERCENT = 5


@dataclass(frozen=True, slots=True)
class Counts:
    """Of one newsletter, in the last hour."""

    requests: int = 0
    confirmations: int = 0
    declines: int = 0


NOTHING = Counts()


@dataclass(frozen=True, slots=True)
class Switch:
    is_tripped: bool
    reason: str
    """In plain words, for whoever runs the service."""
    hour: Counts
    """What was seen then."""


def sign_of_attack(hour: Counts) -> str | None:
    """The reason, where there is one."""
    if hour.requests >= MANY_REQUESTS and 100 * hour.confirmations < PERCENT * hour.requests:
        return f"{hour.requests} requests and {hour.confirmations} confirmations in an hour: fewer than {PERCENT} %"
    if hour.declines >= MANY_DECLINES and 100 * hour.declines > PERCENT * hour.requests:
        return f"{hour.requests} requests and {hour.declines} declines in an hour: more than {PERCENT} %"
    return None


def judge(attacked_at: datetime | None, hour: Counts, now: datetime) -> Switch | None:
    """What becomes of a breaker that last saw an attack then; None, if it has not tripped. None: it stays as it is.

    An attack that is yet to come was seen by a clock that was ahead.
    """
    sign = sign_of_attack(hour)
    if sign and attacked_at is None:
        return Switch(True, sign, hour)
    if not sign and attacked_at is not None and not now - HOUR < attacked_at <= now + HOUR:
        return Switch(False, "nothing looked like an attack for an hour", hour)
    return None
