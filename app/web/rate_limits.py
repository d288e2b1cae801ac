"""Rate limits: per client, per network of the client, and per form of a newsletter.

Never counted per address that is signed up: that would tell strangers which addresses are known. A client beyond its
own limit is refused every POST that writes or queues mail, except to leave. A network and a form are shared with
strangers: beyond their limits a client is served if it proves work, because other people's requests must not count
against a person.
"""

from collections.abc import Sequence
from typing import cast

import structlog
from flask import Flask, g, request
from flask_babel import gettext as _
from limits.storage import storage_from_string
from werkzeug.exceptions import TooManyRequests

from app.abuse import rate_limit
from app.abuse.rate_limit import Counter, DatabaseStorage, Limit, Storage
from app.database import Database
from app.newsletters.definitions import Newsletter
from app.web import client, current
from config import Settings

log = structlog.get_logger()

LEAVING = frozenset({"unsubscribe.press", "decline.press", "address.decline", "preferences.erase"})
"""Counted like all others and never refused: withdrawal is always possible (GDPR Art. 7(3), RFC 8058)."""
ALSO_LEAVING = "preferences.change"
"""Some of its POSTs leave. All are counted, and the view refuses the others by `refuse_beyond_limit`."""
WITH_A_SECRET = ("/api/", "/feedback/")
"""Not counted: callers have a key or a secret, and may be many people's back end."""
CLIENTS_IN_A_NETWORK = 5
"""The limit of a network is this many times the limit of a client."""


def counter(settings: Settings, database: Database) -> Counter:
    uri = settings.rate_limit_storage
    storage = cast(Storage, storage_from_string(uri)) if uri else DatabaseStorage(database.writer)
    return Counter(storage, settings.secret_keys[0])


def register(app: Flask) -> None:
    """Count every POST of a person or a stranger before it is answered, against one limit for all endpoints."""
    app.before_request(_count_post)


def _count_post() -> None:
    """Raises TooManyRequests, with Retry-After, if this client has posted too often in this minute."""
    if request.method != "POST" or request.url_rule is None or request.url_rule.rule.startswith(WITH_A_SECRET):
        return
    if request.endpoint in LEAVING:
        _is_within_limit_if_known()
    elif request.endpoint == ALSO_LEAVING:
        g.is_within_limit = _is_within_limit_if_known()
    elif not _is_within_limit():
        raise too_many_requests()


def refuse_beyond_limit() -> None:
    """For a POST to ALSO_LEAVING that leaves nothing. Raises TooManyRequests."""
    if not g.is_within_limit:
        raise too_many_requests()


def _is_within_limit() -> bool:
    limit = Limit("client", current.settings().rate_limit_subscribe)
    return current.resources().limiter.hit(limit, client.client_key())


def _is_within_limit_if_known() -> bool:
    """True also if the store is unreachable: that must not keep a person from leaving."""
    try:
        return _is_within_limit()
    except Exception as error:
        log.warning("limits.not_counted", kind=type(error).__name__)
        return True


def crowded(newsletters: Sequence[Newsletter]) -> frozenset[str]:
    """Count a signup for the client's network and for each form; returns the newsletters that now need proof of work.

    Call once per signup. Raises TooManyRequests if one of them never asks for proof of work.
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
    return TooManyRequests(
        _("Too many requests. Try again in %(seconds)s seconds.", seconds=seconds), retry_after=seconds
    )
