"""Codes: six digits that do what the link of a confirmation letter does, typed on the page that is still open.

Page and letter find each other by the attempt, an id that the signup form chose. Nothing is kept that could confirm:
of the attempt a keyed digest, and the code not at all, for it follows from the secret keys and the letter.
"""

import hmac
from collections.abc import Sequence
from uuid import UUID

DIGITS = 6


def digests(keys: Sequence[str], attempt: str) -> list[str]:
    """Of an attempt, under each key; the first is the one to keep."""
    # A lone surrogate, which JSON can hold, has no UTF-8 of its own.
    return [_mac(key, "attempt", attempt.encode(errors="surrogatepass")).hex() for key in keys]


def code(key: str, letter_id: UUID) -> str:
    """Of 64 bits, so that the codes below 551,616 are likelier than the others by less than one in 10 to the 13."""
    number = int.from_bytes(_mac(key, "code", letter_id.bytes)[:8], "big")
    return f"{number % 10**DIGITS:0{DIGITS}}"


def grouped(code: str) -> str:
    """As people read it: `123 456`."""
    return f"{code[:3]} {code[3:]}"


def fits(keys: Sequence[str], letter_id: UUID, typed: str) -> bool:
    """Whether somebody typed the code of the letter, in groups or not. Takes as long for a wrong one as for a right."""
    digits = "".join(typed.split()).encode(errors="surrogatepass")
    return [hmac.compare_digest(code(key, letter_id).encode(), digits) for key in keys].count(True) > 0


def _mac(key: str, use: str, of: bytes) -> bytes:
    return hmac.digest(key.encode(), f"jawel/{use}/v1\n".encode() + of, "sha256")
