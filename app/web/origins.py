"""Origin check: the web sites that may post a form here.

Browsers send the site of a request in `Origin`; programs send none and are not checked. The origin is checked against
the newsletter's own list: a site that is not on it cannot sign people up through their browsers.

Invariant: our own origin follows from the settings, not from `Host`. The sender chooses `Host`: a stranger's host name
that resolves to our address makes Host and Origin agree in a browser.
"""

from collections.abc import Iterable
from urllib.parse import urlsplit

from flask import Response, request
from flask_babel import gettext as _
from sqlalchemy.exc import SQLAlchemyError

from app.newsletters.definitions import Newsletter
from app.web import current
from app.web.problems import OriginRefused
from config_checks import LOOPBACK


def check(newsletters: Iterable[Newsletter]) -> None:
    """Raises Forbidden if the request carries an Origin that one of the newsletters does not name."""
    origin = request.headers.get("Origin")
    if origin is None or _is_own(origin):
        return
    if not all(origin in newsletter.allowed_origins for newsletter in newsletters):
        raise OriginRefused(_("This site is not on the newsletter's list of allowed origins."))


def check_any() -> None:
    """Raises Forbidden if the request carries an Origin that no newsletter names."""
    origin = request.headers.get("Origin")
    if origin is not None and not _is_own(origin) and not _is_named_by_any(origin):
        raise OriginRefused(_("This site is not on any newsletter's list of allowed origins."))


def check_any_but_null() -> None:
    """As `check_any`, for our page with a form id in its URL: under `no-referrer` its browser sends `Origin: null`."""
    if request.headers.get("Origin") != "null":
        check_any()


def known(page: str | None, newsletters: Iterable[Newsletter]) -> str | None:
    """The origin of the page that held a form; None if it is neither ours nor one that the newsletters name."""
    if page is None:
        return None
    sites = {current.links().origin, *(origin for each in newsletters for origin in each.allowed_origins)}
    return next((site for site in sites if f"{page}/".startswith(f"{site}/")), None)


def grant(response: Response) -> Response:
    """CORS headers for sites that any newsletter names, so that they can also read why a request was refused."""
    origin = request.headers.get("Origin")
    response.headers.add("Vary", "Origin")
    if origin and _is_named_by_any(origin):
        response.headers["Access-Control-Allow-Origin"] = origin
        response.headers["Access-Control-Expose-Headers"] = "Link, Retry-After"
        if request.method == "OPTIONS":
            response.headers["Access-Control-Allow-Methods"] = "POST"
            response.headers["Access-Control-Allow-Headers"] = "Content-Type, Accept, Accept-Language, Idempotency-Key"
            response.headers["Access-Control-Max-Age"] = "3600"
    return response


def _is_named_by_any(origin: str) -> bool:
    try:
        newsletters = current.catalogue().newsletters.values()
    except SQLAlchemyError:
        return False  # the answer, which is ready, already says that the database is down
    return any(origin in each.allowed_origins for each in newsletters)


def _is_own(origin: str) -> bool:
    return origin == current.links().origin or (current.settings().in_development and _is_beside_us(origin))


def _is_beside_us(origin: str) -> bool:
    """A developer may open http://localhost:8000 while PUBLIC_URL says 127.0.0.1."""
    ours = current.links().origin
    return any(_on(name, ours) == origin for name in LOOPBACK) and urlsplit(ours).hostname in LOOPBACK


def _on(name: str, origin: str) -> str:
    """The same scheme and port on another host."""
    parts = urlsplit(origin)
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{f'[{name}]' if ':' in name else name}{port}"
