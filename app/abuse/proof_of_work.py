"""Proof of work: computing time that a signup costs its sender while the newsletter is under attack.

A puzzle is altcha's (version 2, PBKDF2): signed, not stored, so that asking for one writes nothing. The server chooses
the counter that solves it, so a solution takes no longer than a search of all counters. Each puzzle is good for one
signup: the puzzle is spent, not the text that was sent, because one solution can be spelled in many ways.
"""

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import altcha
from sqlalchemy import Connection, Index
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.database import Base, Instant
from app.database.purge import purge_rows
from app.database.upsert import insert_into

ALGORITHM = "PBKDF2/SHA-256"
ITERATIONS = 5_000
COUNTERS = 120
"""600,000 iterations at most, half as many on average: a second and half a second for an old phone's processor without
instructions for SHA-256, at 1.8 µs each."""

GOOD_FOR = timedelta(hours=1)
REMEMBERED_LONGER = timedelta(minutes=10)
"""Tolerance between machines' clocks: no proof is forgotten on one while it is still good on another."""


class SpentProof(Base):
    """A used proof, refused until it expires by itself."""

    __tablename__ = "spent_proofs"
    __table_args__ = (Index(None, "expires_at"),)

    proof: Mapped[str] = mapped_column(primary_key=True)
    """SHA-256 of its puzzle's signature."""
    expires_at: Mapped[datetime] = mapped_column(Instant)


@dataclass(frozen=True, slots=True)
class Proof:
    """A puzzle of ours was solved in time. `spend` tells whether for the first time."""

    digest: str
    expires_at: datetime


def puzzle(keys: Sequence[str], now: datetime) -> dict[str, Any]:
    """A new puzzle, in altcha's format."""
    challenge = altcha.create_challenge(
        ALGORITHM,
        ITERATIONS,
        counter=secrets.randbelow(COUNTERS),
        expires_at=now + GOOD_FOR,
        hmac_secret=_derived(keys[0], "puzzle"),
        hmac_key_secret=_derived(keys[0], "puzzle's solution"),
    )
    return challenge.to_dict()


def proof(keys: Sequence[str], sent: str) -> Proof | None:
    """None if `sent` is no solution to a puzzle signed by one of the keys, or comes too late."""
    if not any(_is_verified(key, sent) for key in keys):
        return None
    challenge = altcha.Payload.from_base64(sent).challenge
    assert challenge.signature
    assert challenge.parameters.expires_at
    return Proof(
        hashlib.sha256(challenge.signature.encode()).hexdigest(),
        datetime.fromtimestamp(challenge.parameters.expires_at, UTC),
    )


def _is_verified(key: str, sent: str) -> bool:
    result = altcha.verify_solution(sent, _derived(key, "puzzle"), hmac_key_secret=_derived(key, "puzzle's solution"))
    return result.verified  # the result object itself is always truthy


def _derived(key: str, use: str) -> bytes:
    return hmac.digest(key.encode(), f"jawel/{use}/v1".encode(), "sha256")


def spend(connection: Connection, proof: Proof) -> bool:
    """Whether the proof was unused until now; of concurrent callers, exactly one gets True."""
    expires_at = proof.expires_at + REMEMBERED_LONGER
    row = insert_into(SpentProof, connection).values(proof=proof.digest, expires_at=expires_at)
    first = row.on_conflict_do_nothing(index_elements=["proof"]).returning(SpentProof.proof)
    return connection.scalar(first) is not None


def purge(session: Session, now: datetime, *, at_most: int) -> int:
    """Delete expired proofs. Returns how many."""
    return purge_rows(session, SpentProof, SpentProof.expires_at <= now, at_most=at_most)
