"""Checks of settings. Each raises ValidationError with the remedy, and never repeats the value.

Every command reads the settings, so what only a rare one needs is imported by its check.
"""

import base64
import binascii
import re
import ssl
from importlib.util import find_spec
from ipaddress import ip_address
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import psycopg
from marshmallow import ValidationError
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import make_url

SECRET_LENGTH = 32
DIFFERENT_CHARACTERS = 8
"""A secret with fewer was typed to fill the space, not generated at random."""
LOOPBACK = ("localhost", "127.0.0.1", "::1")
NAME_A_DATABASE = (
    "name it as postgresql://… or, for a file, as sqlite:////absolute/path"
    " (a shell ends an unquoted value at `&`: see Environment files in docs/operations.md)"
)


def strong(value: str | list[str]) -> None:
    """For one secret, or several: long enough, and with enough different characters."""
    texts = [value] if isinstance(value, str) else value
    if not texts or any(len(text.strip()) < SECRET_LENGTH for text in texts):
        raise ValidationError(f"needs at least {SECRET_LENGTH} characters; `jawel secrets` prints one")
    if any(_is_monotonous(text) for text in texts):
        raise ValidationError(f"needs at least {DIFFERENT_CHARACTERS} different characters; `jawel secrets` prints one")


def strong_or_nothing(value: str) -> None:
    """It becomes part of a path as it is, so it may hold no character that a URL would escape."""
    if value and (len(value) < SECRET_LENGTH or not value.replace("-", "").replace("_", "").isalnum()):
        raise ValidationError(f"needs at least {SECRET_LENGTH} letters, digits, - or _; or nothing")
    if value and _is_monotonous(value):
        raise ValidationError(f"needs at least {DIFFERENT_CHARACTERS} different characters; or nothing")


def _is_monotonous(text: str) -> bool:
    return len(set(text.strip())) < DIFFERENT_CHARACTERS


def mailbox(value: str) -> None:
    """A token of 43 characters follows it, and a local part has room for 64 (RFC 5321 section 4.5.3.1.1)."""
    local, at, domain = value.rpartition("@")
    if value and (not at or not domain or not local.isascii() or not 0 < len(local) <= 20 or "+" in local):
        raise ValidationError("needs an address such as feedback@example.org, with up to 20 characters before the @")
    if not domain.isascii():
        raise ValidationError("needs its domain in ASCII, as it is in DNS: it begins with xn--")


def public_key(value: str) -> None:
    if value and not _is_public_key(value):
        raise ValidationError("needs the verification key that SendGrid shows, as it is: one line of base64")


def holds_certificates(pem: str) -> bool:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=pem)
    except (ssl.SSLError, ValueError):
        return False
    return True


def _is_public_key(value: str) -> bool:
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415 - only who has reports of SendGrid
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import load_der_public_key  # noqa: PLC0415

    try:
        return isinstance(load_der_public_key(base64.b64decode(value, validate=True)), EllipticCurvePublicKey)
    except (ValueError, UnsupportedAlgorithm):
        return False


def svix_secret(value: str) -> None:
    try:
        key = base64.b64decode(value.removeprefix("whsec_"), validate=True)
    except ValueError:
        key = b""
    if value and not (key and value.startswith("whsec_")):
        raise ValidationError("needs the signing secret that Resend shows, as it is: whsec_ and base64")


def sender_id(value: str) -> None:
    if value and not re.fullmatch("[A-Za-z0-9._-]{5,15}", value):
        raise ValidationError("needs 5 to 15 letters, digits, dots, - or _, the same in all that you send; or nothing")


def topic(value: str) -> None:
    if value and not value.startswith(("arn:aws:sns:", "arn:aws-cn:sns:", "arn:aws-us-gov:sns:")):
        raise ValidationError("needs the ARN of a topic, such as arn:aws:sns:eu-west-1:123456789012:bounces")


def is_private_host(host: str) -> bool:
    """This machine itself, or an address of a private network (RFC 1918, RFC 4193). A name may lead anywhere."""
    try:
        return host in LOOPBACK or ip_address(host).is_private
    except ValueError:
        return False


def given(value: str) -> None:
    if not value:
        raise ValidationError("is empty")


def ed25519_seeds(texts: list[str]) -> None:
    for text in texts or [""]:
        try:
            seed = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            seed = b""
        if len(seed) != 32:
            raise ValidationError("needs the standard base64 of 32 bytes; `jawel secrets` prints one")
        if len(set(seed)) < DIFFERENT_CHARACTERS:
            raise ValidationError("needs bytes made by chance; `jawel secrets` prints them")


def http_url(value: str) -> None:
    try:
        parts = urlsplit(value)
        # A name or password in it would be in every link.
        good = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0 and "@" not in parts.netloc
    except ValueError:
        good = False
    # Pages link to one another from the root.
    if not good or parts.path.strip("/") or parts.query or parts.fragment:
        raise ValidationError("needs an address such as https://subscribe.example.org, without a path")


def https_url(value: str) -> None:
    """Mail programs post a one-click unsubscribe to https only (RFC 8058 section 3.1)."""
    http_url(value)
    parts = urlsplit(value)
    if parts.scheme != "https" and parts.hostname not in LOOPBACK:
        raise ValidationError("needs https in production, but for localhost")


def local_url(value: str) -> None:
    """In development everyone who reaches the service can read every letter, at /mailbox."""
    http_url(value)
    if not is_loopback(urlsplit(value).hostname or ""):
        raise ValidationError(
            "needs localhost where JAWEL_ENV is development, which shows every letter to everybody;"
            " a service for others needs JAWEL_ENV=production"
        )


def is_loopback(host: str) -> bool:
    """Whether the name or address is this machine's own, without asking a resolver."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def key_name(value: str) -> None:
    """A signed note separates key and name by spaces and plus signs. The prefix `jawel/` is not for logs."""
    if not value or "+" in value or value.startswith("jawel/") or any(letter.isspace() for letter in value):
        raise ValidationError("needs a name such as subscribe.example.org, without spaces or plus signs")


def timestamp_authorities(values: list[str]) -> None:
    for value in values:
        parts = urlsplit(value.strip())
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValidationError("needs addresses such as https://tsa.example.org, separated by commas")
    if values and not find_spec("rfc3161_client"):
        raise ValidationError("needs jawel[timestamp] installed")


def storage(value: str) -> None:
    if not value:
        return
    from limits.errors import ConfigurationError  # noqa: PLC0415 - only who does not count in the database
    from limits.storage import storage_from_string  # noqa: PLC0415

    try:
        storage_from_string(value)
    except (ConfigurationError, ValueError):
        raise ValidationError(
            "needs an address such as redis://localhost:6379, with jawel[redis] installed; or nothing, for the database"
        ) from None


def named_database_url(value: str) -> None:
    """A database that survives a restart: SQLite without a file silently keeps everything in memory."""
    database_url(value)
    if value.startswith("sqlite:///") and make_url(value).database in (None, "", ":memory:"):
        raise ValidationError(f"names no file; {NAME_A_DATABASE}")


def database_url(value: str) -> None:
    if value.startswith("sqlite:///"):
        return
    if not value.strip():
        raise ValidationError(f"is empty; {NAME_A_DATABASE}")
    if not value.startswith(("postgresql://", "postgres://", "postgresql+psycopg://")):
        raise ValidationError("needs a postgresql:// or sqlite:/// address")
    try:
        conninfo_to_dict(value.replace("+psycopg", "", 1))
    except psycopg.ProgrammingError:
        raise ValidationError("is not an address that PostgreSQL can read") from None


def timezone(value: str) -> None:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError):
        raise ValidationError("needs the name of a time zone, such as Europe/Brussels") from None
