"""Signs the log's C2SP signed notes with Ed25519. `verifier` verifies them."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from app.ledger.verifier import Key, encode


@dataclass(frozen=True, slots=True)
class LogSigner:
    key: Key
    _private: Ed25519PrivateKey = field(repr=False, compare=False)

    @classmethod
    def of(cls, name: str, seed: bytes) -> "LogSigner":
        """`seed` is the 32 bytes of RFC 8032 section 5.1.5."""
        private = Ed25519PrivateKey.from_private_bytes(seed)
        return cls(Key.of(name, private.public_key().public_bytes_raw()), private)

    def line(self, text: str) -> str:
        return f"— {self.key.name} {encode(self.key.id + self._private.sign(text.encode()))}\n"


def sign(text: str, signers: Sequence[LogSigner]) -> str:
    """A signed note. The text must end with a newline, but not with an empty line."""
    return f"{text}\n{''.join(signer.line(text) for signer in signers)}"
