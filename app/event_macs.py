"""MACs of consent events: they show that this application wrote an event, and not another writer to its database.

The keys are derived from `SECRET_KEYS`, which every process has and the database has not. They travel with the
database's connections, so code that writes an event always has them, with any number of applications per process.
"""

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import Connection

from app.database import Database
from app.errors import JawelError

DOMAIN = b"jawel/consent-event/v1\n"
"""Keeps event MACs distinct from token MACs, though both derive from the same setting."""
_BYTES = 16
_OPTION = "jawel_macs"


class WithoutKeys(JawelError):
    """The database was opened without keys: events written through it could not be told from forgeries."""


@dataclass(frozen=True, slots=True)
class Macs:
    """Made with the first key, verified with all of them, as tokens are."""

    keys: tuple[bytes, ...] = field(repr=False)

    @classmethod
    def of(cls, secret_keys: Sequence[str]) -> "Macs":
        return cls(tuple(hmac.digest(key.encode(), DOMAIN, "sha256") for key in secret_keys))

    def make(self, event_id: UUID, evidence_hash: str) -> str:
        """In hexadecimal. The hash covers evidence and salt, so it stays valid when both are erased."""
        return _mac(self.keys[0], event_id, evidence_hash)

    def fit(self, mac: object, event_id: UUID, evidence_hash: object) -> bool:
        """Whether the MAC was made here, for this event. An SQLite text column may hold anything."""
        if not isinstance(mac, str) or not isinstance(evidence_hash, str):
            return False
        given = mac.encode(errors="surrogateescape")
        return any(hmac.compare_digest(given, _mac(key, event_id, evidence_hash).encode()) for key in self.keys)


def attach_keys(database: Database, secret_keys: Sequence[str]) -> Database:
    """The same database, whose connections now carry the keys. Call it before the first is opened."""
    for engine in (database.writer, database.reader):
        engine.update_execution_options(**{_OPTION: Macs.of(secret_keys)})
    return database


def of(connection: Connection) -> Macs:
    """Raises WithoutKeys."""
    found = connection.get_execution_options().get(_OPTION)
    if not isinstance(found, Macs):
        raise WithoutKeys("open the database by `event_macs.attach_keys`")
    return found


def _mac(key: bytes, event_id: UUID, evidence_hash: str) -> str:
    text = event_id.bytes + evidence_hash.encode(errors="surrogateescape")
    return hmac.digest(key, text, hashlib.sha256)[:_BYTES].hex()
