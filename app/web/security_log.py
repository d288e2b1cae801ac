"""The security log: who was turned away for want of a key, a scope or a secret. A line each, and a count.

Nothing in it is about anyone: neither the key that was sent nor where it came from, which the proxy's log knows.
"""

from enum import StrEnum

import structlog
from flask import request

from app.web import current

log = structlog.get_logger()

REFUSED = "refused_requests"
"""What they are counted under."""


class Refusal(StrEnum):
    NO_KEY = "no_key"
    BAD_KEY = "bad_key"
    """Unknown, or not in force any more."""
    MISSING_SCOPE = "missing_scope"
    WRONG_SECRET = "wrong_secret"  # noqa: S105 - the kind of refusal
    """In the path that mail providers post to."""


def note(kind: Refusal, **known: str) -> None:
    """`known` is what the service itself has given names to, such as keys. Not within a transaction."""
    # The rule, not the path: that may hold an address, or a secret.
    log.warning("request.refused", kind=kind, route=str(request.url_rule), **known)
    current.resources().counters.count(REFUSED, kind)
