"""Security log: requests refused because a key, a scope or a secret is missing or wrong. One line and one count each.

No personal data: neither the key that was sent nor the client's address, which is in the proxy's log.
"""

from enum import StrEnum

import structlog
from flask import request

from app.web import current

log = structlog.get_logger()

REFUSED = "refused_requests"
"""The name of the counter."""


class Refusal(StrEnum):
    NO_KEY = "no_key"
    BAD_KEY = "bad_key"
    """Unknown, or no longer in force."""
    MISSING_SCOPE = "missing_scope"
    WRONG_SECRET = "wrong_secret"  # noqa: S105 - the kind of refusal
    """In the path of the feedback webhook."""


def note(kind: Refusal, **known: str) -> None:
    """`known`: names that the service itself gave, such as a key's. Call outside any transaction."""
    # The rule, not the path, which may hold an address or a secret.
    log.warning("request.refused", kind=kind, route=str(request.url_rule), **known)
    current.resources().counters.count(REFUSED, kind)
