"""Proof of work: what a signup costs the machine that sends it, while its newsletter is attacked.

A puzzle is altcha's (version 2, PBKDF2): signed, not stored, so that asking for one writes nothing. Which counter
solves it is chosen here, and so a solution takes no longer than the search of them all. Each puzzle is good for one
signup: what is spent is the puzzle, not the text that was sent, because one solution can be spelled in many ways.
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
"""By which clocks of several machines may differ before a proof could be forgotten on one and good on another."""


class SpentProof(Base):
    """One that was used, and is refused until it expires by itself."""

    __tablename__ = "spent_proofs"
    __table_args__ = (Index(None, "expires_at"),)

    proof: Mapped[str] = mapped_column(primary_key=True)
    """SHA-256 of its puzzle's signature."""
    expires_at: Mapped[datetime] = mapped_column(Instant)


@dataclass(frozen=True, slots=True)
class Proof:
    """That a puzzle of ours was solved in time. Whether for the first time, `spend` says."""

    digest: str
    expires_at: datetime


def puzzle(keys: Sequence[str], now: datetime) -> dict[str, Any]:
    """A new one, in altcha's shape."""
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
    """None for what is no solution to a puzzle that one of the keys has signed, or comes too late."""
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
    return result.verified  # the result itself is true whatever it says


def _derived(key: str, use: str) -> bytes:
    return hmac.digest(key.encode(), f"jawel/{use}/v1".encode(), "sha256")


def spend(connection: Connection, proof: Proof) -> bool:
    """Whether it was unused until now: of any number who try at once, one is told so."""
    expires_at = proof.expires_at + REMEMBERED_LONGER
    row = insert_into(SpentProof, connection).values(proof=proof.digest, expires_at=expires_at)
    first = row.on_conflict_do_nothing(index_elements=["proof"]).returning(SpentProof.proof)
    return connection.scalar(first) is not None


def purge(session: Session, now: datetime, *, at_most: int) -> int:
    """Forget those that have expired by themselves. Returns how many."""
    return purge_rows(session, SpentProof, SpentProof.expires_at <= now, at_most=at_most)
