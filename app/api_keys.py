"""API keys: who may ask what, about which newsletters. Only a digest is kept; the key itself is shown once."""

import hashlib
import secrets
import time
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID, uuid4

from sqlalchemy import JSON, Connection, UniqueConstraint, bindparam, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from app import clock
from app.database import Base, Database, Instant

TRUSTED_FOR_SECONDS = 1.0


class Scope(StrEnum):
    STATUS_READ = "status:read"
    SUBSCRIBERS_WRITE = "subscribers:write"
    EVENTS_READ = "events:read"
    RECEIPTS_READ = "receipts:read"
    METRICS_READ = "metrics:read"
    ADMIN = "admin"


class ApiKey(Base):
    __tablename__ = "api_keys"
    __table_args__ = (UniqueConstraint("digest"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    name: Mapped[str]
    digest: Mapped[str]
    scopes: Mapped[list[str]]
    newsletters: Mapped[list[str] | None] = mapped_column(JSON(none_as_null=True))
    """None: all of them."""
    created_at: Mapped[datetime] = mapped_column(Instant)
    revoked_at: Mapped[datetime | None] = mapped_column(Instant)


@dataclass(frozen=True, slots=True)
class Caller:
    """The client, as far as its key tells."""

    name: str
    scopes: frozenset[str]
    newsletters: frozenset[str] | None

    def has(self, scope: Scope) -> bool:
        return scope in self.scopes or Scope.ADMIN in self.scopes

    @property
    def is_limited(self) -> bool:
        """To certain newsletters: the client must learn nothing about others."""
        return self.newsletters is not None

    def sees(self, newsletter: str) -> bool:
        return self.newsletters is None or newsletter in self.newsletters


def create(session: Session, name: str, *, scopes: list[str], newsletters: list[str] | None) -> str:
    """Store a new key's digest and return the key itself, which cannot be shown again."""
    key = f"jawel_{secrets.token_hex(32)}"
    row = ApiKey(name=name, digest=digest(key), scopes=scopes, newsletters=newsletters, created_at=clock.now())
    session.add(row)
    return key


def digest(key: str) -> str:
    """256 random bits cannot be guessed, so a plain SHA-256 protects them as well as a slow hash would."""
    return hashlib.sha256(key.encode()).hexdigest()


_IN_FORCE = select(ApiKey.name, ApiKey.scopes, ApiKey.newsletters).where(
    ApiKey.digest == bindparam("digest"), ApiKey.revoked_at.is_(None)
)


def find(connection: Connection, key: str) -> Caller | None:
    found = connection.execute(_IN_FORCE, {"digest": digest(key)}).first()
    if found is None:
        return None
    name, scopes, newsletters = found
    return Caller(name, frozenset(scopes), None if newsletters is None else frozenset(newsletters))


class KeyRing:
    """Cache of recently used keys, at most a second old: a process takes up to that long to notice a revocation.

    Only existing keys are cached, so a stranger who tries many does not fill it.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._callers: dict[str, tuple[float, Caller]] = {}

    def find(self, key: str) -> Caller | None:
        """The client that holds the key; None if it is unknown or revoked."""
        now = time.monotonic()
        read_at, caller = self._callers.get(key, (float("-inf"), None))
        if now - read_at < TRUSTED_FOR_SECONDS:
            return caller
        with self._database.read_only() as connection:
            caller = find(connection, key)
        if caller is None:
            self._callers.pop(key, None)
        else:
            self._callers[key] = (now, caller)
        return caller
