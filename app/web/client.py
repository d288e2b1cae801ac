"""Client data kept as evidence: the least that proves something (GDPR Art. 5(1)(c), EDPB 05/2020 para 106)."""

import hashlib
import ipaddress
import re
from collections.abc import Callable
from functools import lru_cache
from urllib.parse import urlsplit

from flask import request

from app.consent import Act, Actor
from app.web import current
from app.web.negotiation import wants_page
from config import ClientIp

# Some proxies add the port: 192.0.2.1:5678, or [2001:db8::1]:5678.
_PORT = re.compile(r"^(?:\[([^\]]+)\]|([\d.]+)):\d+$")
_FAMILIES = (
    ("Edge", re.compile(r"\bEdg")),
    ("Opera", re.compile(r"\bOPR/|\bOpera")),
    ("Samsung Internet", re.compile(r"\bSamsungBrowser/")),
    ("Firefox", re.compile(r"\bFirefox/|\bFxiOS/")),
    ("Chrome", re.compile(r"\bChrome/|\bCriOS/|\bChromium/")),
    ("Safari", re.compile(r"\bSafari/")),
    ("curl", re.compile(r"^curl/")),
)


def details() -> dict[str, str | None]:
    """Browser family and truncated address, as evidence of a press."""
    # `remote_addr` is correct behind the configured number of proxies.
    return {"browser": browser_family(), "client": truncated_address(request.remote_addr)}


def button_evidence(page: Callable[[], str]) -> Act:
    """Evidence that the mailbox holder pressed a page's button; the page is rendered again for its hash.

    A program that posts JSON saw no page, so no hash is kept.
    """
    if not wants_page():
        return Act(Actor.MAILBOX_HOLDER, {"method": "json", **details()})
    shown = {"method": "button", "page_sha256": hashlib.sha256(page().encode()).hexdigest()}
    return Act(Actor.MAILBOX_HOLDER, {**shown, **details()})


def truncated_address(address: str | None) -> str | None:
    """As the setting `client_ip` allows: the full address, its network, or None."""
    wanted = current.settings().client_ip
    if wanted is ClientIp.NONE or not address:
        return None
    return address if wanted is ClientIp.FULL else _network_of(address)


def client_key() -> str:
    """The client as a rate limit counts it: one IPv4 address, or one IPv6 /64. In hex; empty if unknown."""
    return _first_bytes(request.remote_addr, ipv4=4, ipv6=8).hex()


def network_key() -> str:
    """The client's network, as `client_key`: an IPv4 /24, or an IPv6 /48."""
    return _first_bytes(request.remote_addr, ipv4=3, ipv6=6).hex()


def _network_of(address: str) -> str:
    client = _parse(address)
    if client is None:
        return "unknown"
    return str(ipaddress.ip_network((client, 24 if client.version == 4 else 48), strict=False))


def _first_bytes(address: str | None, *, ipv4: int, ipv6: int) -> bytes:
    client = _parse(address or "")
    return client.packed[: ipv4 if client.version == 4 else ipv6] if client else b""


@lru_cache(maxsize=16)
def _parse(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        client = ipaddress.ip_address(_PORT.sub(r"\1\2", text.partition("%")[0]))
    except ValueError:
        return None
    return (client.ipv4_mapped or client) if isinstance(client, ipaddress.IPv6Address) else client


def browser_family() -> str:
    return family(request.headers.get("User-Agent", ""))


def family(agent: str) -> str:
    """The browser's name without version or platform, because those make a fingerprint."""
    return next((name for name, pattern in _FAMILIES if pattern.search(agent)), "other")


def form_url() -> str | None:
    """The page that held the form."""
    return without_query(request.headers.get("Referer") or request.headers.get("Origin") or "")


def without_query(url: str) -> str | None:
    """A page's URL without query and fragment, which may hold personal data. None if it is not the URL of a page."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return None
    if parts.scheme not in {"http", "https"} or not parts.hostname or len(url) > 2000:
        return None
    return f"{parts.scheme}://{parts.hostname}{port}{parts.path}"
