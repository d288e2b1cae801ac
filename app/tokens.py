"""Signed links, one purpose each.

A token is base32 of `id ‖ expiry ‖ HMAC`: nothing is stored, nothing in it is personal, and a token made for one
purpose is forged for every other. Letters and digits only, because mail programs that turn text into links drop a
trailing `-` or `_`.
"""

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from uuid import UUID

from app.errors import JawelError

_MAC_BYTES = 16
_NEVER = 0


class TokenInvalid(JawelError):
    """Forged, cut off, or made for another purpose. Whoever sees it learns no more than "unknown"."""


class Purpose(StrEnum):
    CONFIRM = "confirm"
    UNSUBSCRIBE = "unsubscribe"
    PREFERENCES = "preferences"
    RECEIPT = "receipt"
    ADDRESS = "address"
    """To confirm a change of address, from the new mailbox."""
    FORMER_ADDRESS = "former address"
    """To undo one, from the former mailbox."""
    UNDO = "undo"
    """To undo an unsubscription, from the very page that answered it."""
    FORM = "form"
    """That a signup form is ours, and when it was shown; its subject is the form."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What a genuine token says: about which record, and until when it may act (None: for ever)."""

    subject: UUID
    expires_at: datetime | None

    def has_expired(self, at: datetime) -> bool:
        return self.expires_at is not None and at >= self.expires_at


@dataclass(frozen=True, slots=True)
class Signer:
    """Signs with the first key, accepts all of them, so that keys can be rotated without breaking sent letters."""

    keys: tuple[str, ...]

    def sign(self, purpose: Purpose, subject: UUID, expires_at: datetime | None = None) -> str:
        expiry = _NEVER if expires_at is None else int(expires_at.timestamp())
        payload = subject.bytes + expiry.to_bytes(5, "big")
        token = payload + _mac(self.keys[0], purpose, payload)
        return base64.b32encode(token).decode().rstrip("=").lower()

    def read(self, purpose: Purpose, token: str) -> Claim:
        """Raise TokenInvalid for what was not signed here for this purpose. Expiry is the caller's to judge."""
        try:
            raw = base64.b32decode(token.upper() + "=" * (-len(token) % 8))
        except (binascii.Error, ValueError) as error:
            raise TokenInvalid("not a token") from error
        payload, mac = raw[:-_MAC_BYTES], raw[-_MAC_BYTES:]
        genuine = any(hmac.compare_digest(mac, _mac(key, purpose, payload)) for key in self.keys)
        if not genuine or len(payload) != 21:
            raise TokenInvalid("not signed here for this purpose")
        expiry = int.from_bytes(payload[16:], "big")
        expires_at = None if expiry == _NEVER else datetime.fromtimestamp(expiry, UTC)
        return Claim(UUID(bytes=payload[:16]), expires_at)


def _mac(key: str, purpose: Purpose, payload: bytes) -> bytes:
    return hmac.digest(key.encode(), f"jawel/{purpose}/v1\n".encode() + payload, hashlib.sha256)[:_MAC_BYTES]
