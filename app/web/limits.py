"""How often one client may ask.

Counted per client, never per address that is asked for: a limit on addresses would tell strangers which are known.
"""

import hmac

from flask import request
from limits import RateLimitItemPerMinute
from limits.storage import storage_from_string
from limits.strategies import FixedWindowRateLimiter
from werkzeug.exceptions import TooManyRequests

from app import clock
from app.database import Database
from app.ratelimits import DatabaseStorage
from app.web import client, current
from config import Settings


def limiter(settings: Settings, database: Database) -> FixedWindowRateLimiter:
    uri = settings.rate_limit_storage
    return FixedWindowRateLimiter(storage_from_string(uri) if uri else DatabaseStorage(database.writer))


def signups_a_minute(settings: Settings) -> RateLimitItemPerMinute:
    return RateLimitItemPerMinute(settings.rate_limit_subscribe, namespace="signup")


def count_signup() -> None:
    """Raise TooManyRequests, with Retry-After, where this client has signed up too often in the last minute."""
    services = current.services()
    who = _client_key(services.settings.secret_keys[0])
    if services.limiter.hit(services.signups_a_minute, who):
        return
    window = services.limiter.get_window_stats(services.signups_a_minute, who)
    raise TooManyRequests(retry_after=max(1, int(window.reset_time - clock.now().timestamp()) + 1))


def _client_key(secret: str) -> str:
    """One IPv4 address, or one IPv6 /64, which is what a line is given. Keyed, so that no client address rests."""
    prefix = client.prefix(request.remote_addr or "", ipv4=32, ipv6=64)
    return hmac.digest(secret.encode(), prefix.encode(), "sha256").hex()[:32]
