"""Answers kept for a day under an `Idempotency-Key`: whoever repeats a request gets the first answer.

Invariant: an answer is kept in the transaction that had the effect, so there is never one without the other, wherever a
process dies. It is encrypted under the API key and the `Idempotency-Key`, neither of which is stored: the database
alone shows neither who asked nor what, and erasure has nothing to find in it.
"""

import hmac
import json
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import Connection, Index, LargeBinary, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.database import Base, Instant
from app.database.locks import AdvisoryLock, try_lock_for
from app.database.purge import purge_rows
from app.database.upsert import insert_into

KEPT_FOR = timedelta(hours=24)
PURPOSE = b"jawel/idempotency/v1\n"
NONCE_BYTES = 12


class KeptAnswer(Base):
    __tablename__ = "kept_answers"
    __table_args__ = (Index(None, "expires_at"),)

    digest: Mapped[str] = mapped_column(primary_key=True)
    request: Mapped[str]
    """Keyed digest of method, path and body."""
    answer: Mapped[bytes] = mapped_column(LargeBinary)
    expires_at: Mapped[datetime] = mapped_column(Instant)


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: list[tuple[str, str]]
    body: str


@dataclass(frozen=True, slots=True)
class FirstAnswer:
    request: str
    answer: Answer


class IdempotencyKey:
    """An `Idempotency-Key` of one API key: the same text from another caller is another key."""

    def __init__(self, api_key: str, key: str) -> None:
        self._secret = hmac.digest(api_key.encode(), PURPOSE + key.encode(), "sha256")
        self.digest = self._derive(b"digest").hex()

    def fingerprint(self, request: bytes) -> str:
        return self._derive(b"request\n" + request).hex()

    def seal(self, answer: Answer) -> bytes:
        nonce = secrets.token_bytes(NONCE_BYTES)
        text = json.dumps([answer.status, answer.headers, answer.body]).encode()
        return nonce + self._cipher().encrypt(nonce, text, None)

    def open(self, sealed: bytes) -> Answer:
        nonce, text = sealed[:NONCE_BYTES], sealed[NONCE_BYTES:]
        status, headers, body = json.loads(self._cipher().decrypt(nonce, text, None))
        return Answer(status, [(name, value) for name, value in headers], body)

    def _cipher(self) -> AESGCM:
        return AESGCM(self._derive(b"answer"))

    def _derive(self, purpose: bytes) -> bytes:
        return hmac.digest(self._secret, purpose, "sha256")


def hold(connection: Connection, key: IdempotencyKey) -> bool:
    """False while another transaction carries out a request under the same key. On SQLite it has waited for that."""
    return try_lock_for(connection, AdvisoryLock.ANSWERS, key.digest)


def find(connection: Connection, key: IdempotencyKey, now: datetime) -> FirstAnswer | None:
    """Call under `hold`."""
    asked = select(KeptAnswer.request, KeptAnswer.answer).where(
        KeptAnswer.digest == key.digest, KeptAnswer.expires_at > now
    )
    found = connection.execute(asked).first()
    return FirstAnswer(found.request, key.open(found.answer)) if found else None


def keep(session: Session, key: IdempotencyKey, kept: FirstAnswer, now: datetime) -> None:
    """Call under `hold`, if `find` found nothing: what is stored under the key still is over, and is replaced."""
    row = {"request": kept.request, "answer": key.seal(kept.answer), "expires_at": now + KEPT_FOR}
    insert = insert_into(KeptAnswer, session).values(digest=key.digest, **row)
    session.execute(insert.on_conflict_do_update(index_elements=["digest"], set_=row))


def purge(session: Session, now: datetime, *, at_most: int) -> int:
    """Returns how many were deleted."""
    return purge_rows(session, KeptAnswer, KeptAnswer.expires_at <= now, at_most=at_most)
