"""How often may be asked: by one client, from around it, and for one newsletter.

Counted per client and per form, never per address that is asked for: that would tell strangers which are known. What
one client does is its own, and is refused beyond its limit: every POST that writes or owes mail, but for leaving. A
network and a form are shared with strangers: beyond their limits nobody is refused who can prove work, for nobody
else's requests may count against a person.
"""

from collections.abc import Sequence
from typing import cast

import structlog
from flask import Flask, g, request
from limits.storage import storage_from_string
from werkzeug.exceptions import TooManyRequests

from app.abuse import rate_limit
from app.abuse.rate_limit import Counter, DatabaseStorage, Limit, Storage
from app.database import Database
from app.newsletters.definitions import Newsletter
from app.web import client, current
from config import Settings

log = structlog.get_logger()

LEAVING = frozenset({"unsubscribe.press", "confirm.decline", "address.decline", "preferences.erase"})
"""Counted like all others, and never refused: the way out is always open (GDPR Art. 7(3), RFC 8058)."""
ALSO_LEAVING = "preferences.change"
"""Some of its presses leave. All are counted, and the view refuses the others by `refuse_beyond_limit`."""
WITH_A_SECRET = ("/api/", "/feedback/")
"""Whoever calls these has shown a key or a secret, and may be many people's back end."""
CLIENTS_IN_A_NETWORK = 5
"""So many of them may ask as often as they can before their network is crowded."""


def counter(settings: Settings, database: Database) -> Counter:
    uri = settings.rate_limit_storage
    storage = cast(Storage, storage_from_string(uri)) if uri else DatabaseStorage(database.writer)
    return Counter(storage, settings.secret_keys[0])


def register(app: Flask) -> None:
    """Count every POST of a person or a stranger before it is answered, one allowance for all of them together."""
    app.before_request(_count_post)


def _count_post() -> None:
    """Raise TooManyRequests, with Retry-After, where this client has posted too often in this minute."""
    if request.method != "POST" or request.url_rule is None or request.url_rule.rule.startswith(WITH_A_SECRET):
        return
    if request.endpoint in LEAVING:
        _is_within_limit_if_known()
    elif request.endpoint == ALSO_LEAVING:
        g.is_within_limit = _is_within_limit_if_known()
    elif not _is_within_limit():
        raise too_many_requests()


def refuse_beyond_limit() -> None:
    """For a press of ALSO_LEAVING that leaves nothing. Raises TooManyRequests."""
    if not g.is_within_limit:
        raise too_many_requests()


def _is_within_limit() -> bool:
    limit = Limit("client", current.settings().rate_limit_subscribe)
    return current.resources().limiter.hit(limit, client.client_key())


def _is_within_limit_if_known() -> bool:
    """Also where it cannot be counted: a store that is away keeps nobody from leaving."""
    try:
        return _is_within_limit()
    except Exception as error:
        log.warning("limits.not_counted", kind=type(error).__name__)
        return True


def crowded(newsletters: Sequence[Newsletter]) -> frozenset[str]:
    """Count a signup for the client's network and for each form; name the newsletters that it has to prove work for.

    Once a signup. Raises TooManyRequests where one of them is never to be asked for proof.
    """
    settings, limiter = current.settings(), current.resources().limiter
    of_network = Limit("network", CLIENTS_IN_A_NETWORK * settings.rate_limit_subscribe)
    of_form = Limit("form", settings.rate_limit_form)
    everywhere = not limiter.hit(of_network, client.network_key())
    full = [each for each in newsletters if not limiter.hit(of_form, each.slug) or everywhere]
    if any(each.proof_of_work == "never" for each in full):
        raise too_many_requests()
    return frozenset(each.slug for each in full)


def too_many_requests() -> TooManyRequests:
    seconds = rate_limit.seconds_left()
    return TooManyRequests(f"Too many requests. Try again in {seconds} seconds.", retry_after=seconds)
