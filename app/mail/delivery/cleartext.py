"""Detects letters that are sent unencrypted over networks that the operator does not control.

Resolves the server's name, which may take seconds: not for use within a request.
"""

import socket
from ipaddress import IPv4Address, IPv6Address, ip_address

import structlog

from config import MailServer, Settings

REMEDY = "set MAIL_USE_TLS or MAIL_USE_SSL"

log = structlog.get_logger()


def is_exposed(settings: Settings) -> bool:
    """True if letters, with addresses and links in them, go unencrypted where strangers can read them."""
    server = settings.mail_server
    if server is None or server.is_encrypted or settings.in_development:
        return False
    addresses = _addresses(server)
    return not addresses or not all(map(_is_private, addresses))


def warn(settings: Settings) -> None:
    """Logs a warning if letters are exposed."""
    if settings.mail_server is not None and is_exposed(settings):
        log.warning("mail_server.in_the_clear", server=settings.mail_server.host, remedy=REMEDY)


def _addresses(server: MailServer) -> list[IPv4Address | IPv6Address]:
    """All addresses of the server's name: the next connection may use any of them. Empty if there are none."""
    try:
        found = socket.getaddrinfo(server.host, server.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []
    return [ip_address(str(address[0]).partition("%")[0]) for *_, address in found]


def _is_private(address: IPv4Address | IPv6Address) -> bool:
    """Loopback, link-local and private networks (RFC 1918, RFC 4193)."""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return (mapped or address).is_private
