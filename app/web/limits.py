"""How often may be asked: by one client, from around it, and for one newsletter.

Counted per client and per form, never per address that is asked for: that would tell strangers which are known. What
one client does is its own, and is refused beyond its limit. A network and a form are shared with strangers: beyond
their limits nobody is refused who can prove work, for nobody else's requests may count against a person.
"""

from collections.abc import Sequence
from typing import cast

from limits.storage import storage_from_string
from werkzeug.exceptions import TooManyRequests

from app import ratelimits
from app.database import Database
from app.newsletters.terms import Newsletter
from app.ratelimits import Counter, DatabaseStorage, Limit, Storage
from app.web import client, current
from config import Settings

CLIENTS_IN_A_NETWORK = 5
"""So many of them may ask as often as they can before their network is crowded."""


def counter(settings: Settings, database: Database) -> Counter:
    uri = settings.rate_limit_storage
    storage = cast(Storage, storage_from_string(uri)) if uri else DatabaseStorage(database.writer)
    return Counter(storage, settings.secret_keys[0])


def count_request() -> None:
    """Raise TooManyRequests, with Retry-After, where this client has asked too often in this minute.

    Signups, guesses of a code and requests for a link have one allowance together.
    """
    settings = current.settings()
    limit = Limit("client", settings.rate_limit_subscribe)
    if not current.services().limiter.hit(limit, client.line()):
        raise too_many_requests()


def crowded(newsletters: Sequence[Newsletter]) -> frozenset[str]:
    """Count a signup for the client's network and for each form; name the newsletters that it has to prove work for.

    Once a signup, behind `count_request`. Raises TooManyRequests where one of them is never to be asked for proof.
    """
    settings, limiter = current.settings(), current.services().limiter
    of_network = Limit("network", CLIENTS_IN_A_NETWORK * settings.rate_limit_subscribe)
    of_form = Limit("form", settings.rate_limit_form)
    everywhere = not limiter.hit(of_network, client.network())
    full = [each for each in newsletters if not limiter.hit(of_form, each.slug) or everywhere]
    if any(each.proof_of_work == "never" for each in full):
        raise too_many_requests()
    return frozenset(each.slug for each in full)


def too_many_requests() -> TooManyRequests:
    seconds = ratelimits.seconds_left()
    return TooManyRequests(f"Too many requests. Try again in {seconds} seconds.", retry_after=seconds)
