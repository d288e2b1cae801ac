"""Signed links, one purpose each.

A token is base32 of `id ‖ expiry ‖ HMAC`: nothing is stored, nothing in it is personal, and a token made for one
purpose is forged for every other. Letters and digits only, because mail programs that turn text into links drop a
trailing `-` or `_`.

Invariant: a token has one spelling, in capitals or not, so that whatever compares, keeps or blocks one knows it again.
"""

import base64
import binascii
import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from uuid import UUID

from app.errors import JawelError

_MAC_BYTES = 16
_SHORT_MAC_BYTES = 10
"""Where a token has to fit into a local part of 64 octets (RFC 5321): 80 bits, to be guessed mail by mail."""
_LONGEST_TEXT = 512
"""An address has 254 octets (RFC 5321); each place where a token may begin costs a hash."""
_SHORT = re.compile(r"(?=([A-Za-z2-7]{42}))")
_NEVER = 0


class TokenInvalid(JawelError):
    """Forged, cut off, or made for another purpose. Whoever sees it learns no more than "unknown"."""


class Purpose(StrEnum):
    CONFIRM = "confirm"
    """To answer the question of one letter: to confirm, to say "this was not me", or to ask for the letter again."""
    UNSUBSCRIBE = "unsubscribe"
    UNSUBSCRIBE_ONE = "unsubscribe one"
    """To leave that newsletter and no other, by a link that neither names nor ends the others."""
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
    BOUNCE = "bounce"
    """To say which letter it was, from the address that it was sent from."""
    UNSUBSCRIBE_MAIL = "unsubscribe mail"
    """To leave by a mail to an address."""


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
        return _spelled(payload + _mac(self.keys[0], purpose, payload))

    def read(self, purpose: Purpose, token: str) -> Claim:
        """Raise TokenInvalid for what was not signed here for this purpose. Expiry is the caller's to judge."""
        raw = _bytes_of(token)
        payload, mac = raw[:-_MAC_BYTES], raw[-_MAC_BYTES:]
        genuine = any(hmac.compare_digest(mac, _mac(key, purpose, payload)) for key in self.keys)
        if not genuine or len(payload) != 21:
            raise TokenInvalid("not signed here for this purpose")
        expiry = int.from_bytes(payload[16:], "big")
        expires_at = None if expiry == _NEVER else datetime.fromtimestamp(expiry, UTC)
        return Claim(UUID(bytes=payload[:16]), expires_at)

    def sign_shortly(self, purpose: Purpose, subject: UUID) -> str:
        """42 letters and digits, for an address. Never expires."""
        mac = _mac(self.keys[0], purpose, subject.bytes)[:_SHORT_MAC_BYTES]
        return _spelled(subject.bytes + mac)

    def find(self, purpose: Purpose, text: str) -> UUID | None:
        """What the first genuine short token in the text is about, whatever mail systems wrapped around it."""
        for match in _SHORT.finditer(text[:_LONGEST_TEXT]):
            try:
                raw = _bytes_of(match[1])
            except TokenInvalid:
                continue
            subject, mac = raw[:16], raw[16:]
            known = (_mac(key, purpose, subject)[:_SHORT_MAC_BYTES] for key in self.keys)
            if any(hmac.compare_digest(mac, each) for each in known):
                return UUID(bytes=subject)
        return None


def _spelled(raw: bytes) -> str:
    return base64.b32encode(raw).decode().rstrip("=").lower()


def _bytes_of(token: str) -> bytes:
    """Raise TokenInvalid for what is not spelled as `_spelled` does, but for capitals."""
    try:
        # Unicode has other letters that become one of ASCII in capitals: dotless i and long s.
        raw = base64.b32decode(token.upper() + "=" * (-len(token) % 8)) if token.isascii() else b""
    except (binascii.Error, ValueError):
        raw = b""
    # Base32 reads past bits at the end that stand for nothing: of the last character, up to 16 read alike.
    if _spelled(raw) != token.lower():
        raise TokenInvalid("not a token")
    return raw


def _mac(key: str, purpose: Purpose, payload: bytes) -> bytes:
    return hmac.digest(key.encode(), f"jawel/{purpose}/v1\n".encode() + payload, hashlib.sha256)[:_MAC_BYTES]
