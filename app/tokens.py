"""Signed links, one purpose each.

A token is base32 of `id ‖ HMAC`, or of `id ‖ expiry ‖ HMAC`: 45 letters and digits, so that a link fits on a line of a
letter, without the `-` or `_` that mail programs drop from the end of a link. Nothing is stored, nothing in it is
personal, and a token made for one purpose is invalid for every other. Tokens of the first version, which are longer,
stay valid: links to unsubscribe never expire.

Invariant: a token has one spelling, apart from case, so that code that compares, keeps or blocks it recognises it.
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

_BYTES = 28
"""Of a token: 16 of the id, then a MAC of 12; or an expiry of 4 and a MAC of 8, which nobody can guess: each guess is
a request."""
_EXPIRY_BYTES = 4
_FIRST_VERSION_BYTES = 37
_FIRST_VERSION_MAC_BYTES = 16
LENGTHS = frozenset({45, 60})
"""Of a token, in characters: of this version, and of the first."""
_SHORT_MAC_BYTES = 10
"""For a token that must fit into a local part of 64 octets (RFC 5321): 80 bits, guessable only mail by mail."""
_LONGEST_TEXT = 512
"""An address has up to 254 octets (RFC 5321); each possible start of a token costs a hash."""
_SHORT = re.compile(r"(?=([A-Za-z2-7]{42}))")


class TokenInvalid(JawelError):
    """Forged, truncated, or made for another purpose. The client learns no more than "unknown"."""


class Purpose(StrEnum):
    CONFIRM = "confirm"
    """To answer one confirmation mail: to confirm, to say "this was not me", or to ask for the mail again."""
    UNSUBSCRIBE = "unsubscribe"
    UNSUBSCRIBE_ONE = "unsubscribe one"
    """To leave that newsletter only, by a link that neither names nor ends the others."""
    PREFERENCES = "preferences"
    RECEIPT = "receipt"
    ADDRESS = "address"
    """To confirm a change of address, from the new mailbox."""
    FORMER_ADDRESS = "former address"
    """To undo an address change, from the former mailbox."""
    UNDO = "undo"
    """To undo an unsubscription, from the page that answered it."""
    UNDO_DECLINE = "undo decline"
    """To take back "this was not me", from the page that answered it."""
    FORM = "form"
    """Proves that a signup form is ours, and when it was shown; its subject is the form."""
    BOUNCE = "bounce"
    """To identify a letter by its envelope sender."""
    UNSUBSCRIBE_MAIL = "unsubscribe mail"
    """To unsubscribe by a mail to an address."""


@dataclass(frozen=True, slots=True)
class Claim:
    """Content of a genuine token: its record, and until when it may act (None: for ever)."""

    subject: UUID
    expires_at: datetime | None

    def has_expired(self, at: datetime) -> bool:
        return self.expires_at is not None and at >= self.expires_at


@dataclass(frozen=True, slots=True)
class Signer:
    """Signs with the first key, accepts all of them, so that keys can be rotated without breaking sent letters."""

    keys: tuple[str, ...]

    def sign(self, purpose: Purpose, subject: UUID, expires_at: datetime | None = None) -> str:
        payload = subject.bytes
        if expires_at is not None:
            payload += int(expires_at.timestamp()).to_bytes(_EXPIRY_BYTES, "big")
        return _spelled(payload + _mac_of(self.keys[0], purpose, payload))

    def read(self, purpose: Purpose, token: str) -> Claim:
        """Raises TokenInvalid if it was not signed here for this purpose. The caller checks expiry."""
        raw = _bytes_of(token)
        if len(raw) == _FIRST_VERSION_BYTES:
            return self._read_first_version(purpose, raw)
        if len(raw) == _BYTES:
            # Without an expiry first: those are the links that letters carry most.
            for length in (16, 16 + _EXPIRY_BYTES):
                payload, mac = raw[:length], raw[length:]
                if any(hmac.compare_digest(mac, _mac_of(key, purpose, payload)) for key in self.keys):
                    return _claim(payload)
        raise TokenInvalid("not signed here for this purpose")

    def _read_first_version(self, purpose: Purpose, raw: bytes) -> Claim:
        payload, mac = raw[:-_FIRST_VERSION_MAC_BYTES], raw[-_FIRST_VERSION_MAC_BYTES:]
        if not any(hmac.compare_digest(mac, _mac(key, purpose, payload)) for key in self.keys):
            raise TokenInvalid("not signed here for this purpose")
        return _claim(payload)

    def sign_short(self, purpose: Purpose, subject: UUID) -> str:
        """42 letters and digits, for an address. Never expires."""
        mac = _mac(self.keys[0], purpose, subject.bytes)[:_SHORT_MAC_BYTES]
        return _spelled(subject.bytes + mac)

    def find(self, purpose: Purpose, text: str) -> UUID | None:
        """The subject of the first genuine short token in the text, whatever mail systems wrapped around it."""
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
    """Raises TokenInvalid if the spelling is not that of `_spelled`, apart from case."""
    try:
        # Unicode has other letters whose upper case is in ASCII: dotless i and long s.
        raw = base64.b32decode(token.upper() + "=" * (-len(token) % 8)) if token.isascii() else b""
    except (binascii.Error, ValueError):
        raw = b""
    # Base32 ignores unused bits at the end: up to 16 spellings of the last character decode alike.
    if _spelled(raw) != token.lower():
        raise TokenInvalid("not a token")
    return raw


def _claim(payload: bytes) -> Claim:
    expiry = int.from_bytes(payload[16:], "big")
    return Claim(UUID(bytes=payload[:16]), datetime.fromtimestamp(expiry, UTC) if expiry else None)


def _mac_of(key: str, purpose: Purpose, payload: bytes) -> bytes:
    """As long as there is room for. The length of the payload is in it: a MAC of one kind never fits the other."""
    used = f"jawel/{purpose}/v2/{len(payload)}\n".encode()
    return hmac.digest(key.encode(), used + payload, hashlib.sha256)[: _BYTES - len(payload)]


def _mac(key: str, purpose: Purpose, payload: bytes) -> bytes:
    used = f"jawel/{purpose}/v1\n".encode()
    return hmac.digest(key.encode(), used + payload, hashlib.sha256)[:_FIRST_VERSION_MAC_BYTES]
