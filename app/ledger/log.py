"""This service's own log: its name and the keys that sign for it."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sqlalchemy import Connection, bindparam, select

from app.errors import JawelError
from app.ledger.model import LogEntry, LogKey, SignedCheckpoint
from app.ledger.signing import LogSigner, sign
from app.ledger.tree import Span
from app.ledger.verifier import Key, Refuted, open_note

INTRODUCTION = "jawel/log-keys/v1"
"""The first line of a key's introduction. No log has this name, because no origin begins with `jawel/`."""


class Introduction(Protocol):
    """A row of `log_keys`."""

    @property
    def verification_key(self) -> str: ...

    @property
    def since_size(self) -> int: ...

    @property
    def introduction(self) -> str: ...


class LogIsInconsistent(JawelError):
    """The stored log is not the signed one. Nothing more is signed on top of it; the text says what is wrong."""


@dataclass(frozen=True, slots=True)
class Log:
    origin: str
    """The first line of each checkpoint, and the name of each key."""
    signers: tuple[LogSigner, ...]
    """Newest first. Only the newest signs; the previous one co-signs once, at the hand-over."""

    @classmethod
    def of(cls, origin: str, seeds: Sequence[bytes]) -> "Log":
        return cls(origin, tuple(LogSigner.of(origin, seed) for seed in seeds))


def newest_checkpoint(connection: Connection) -> SignedCheckpoint | None:
    found = connection.execute(_NEWEST).mappings().first()
    return SignedCheckpoint(**found) if found else None


def checkpoint_at(connection: Connection, instant: datetime) -> SignedCheckpoint | None:
    """The newest checkpoint signed at or before the instant."""
    found = connection.execute(_NEWEST_BY, {"instant": instant}).mappings().first()
    return SignedCheckpoint(**found) if found else None


def verification_keys(connection: Connection, log: Log) -> list[Key]:
    """Newest first: the keys of the settings, then the keys that those have introduced, transitively.

    A key is not trusted because it is in the database: an attacker with write access could add one.
    """
    known = [signer.key for signer in log.signers]
    for row in connection.execute(_KEYS):
        with suppress(Refuted, ValueError):
            key = Key.parse(row.verification_key)
            if key in known:
                known += [each for each in introduced(row, key) if each not in known]
    return known


def introduce(signer: LogSigner, since_size: int, former: Sequence[Key]) -> str:
    """The signed note of a key when it first signs: since which size, and which former keys to trust."""
    lines = [INTRODUCTION, str(since_size), *map(str, [signer.key, *former])]
    return sign("".join(f"{line}\n" for line in lines), [signer])


def introduced(row: Introduction, key: Key) -> list[Key]:
    """The former keys that `key` vouches for. Raises Refuted if it has not signed this row's introduction."""
    domain, since_size, own, *former = open_note(row.introduction, [key]).splitlines()
    if (domain, since_size, own) != (INTRODUCTION, str(row.since_size), row.verification_key):
        raise Refuted("its introduction is about another key or size")
    return [Key.parse(line) for line in former]


def leaves(connection: Connection, span: Span) -> list[bytes]:
    wanted = select(LogEntry.leaf).where(LogEntry.position >= span.begin, LogEntry.position < span.end)
    return [*connection.scalars(wanted.order_by(LogEntry.position))]


_NEWEST = select(SignedCheckpoint.__table__).order_by(SignedCheckpoint.size.desc()).limit(1)
_NEWEST_BY = (
    select(SignedCheckpoint.__table__)
    .where(SignedCheckpoint.signed_at <= bindparam("instant"))
    .order_by(SignedCheckpoint.signed_at.desc(), SignedCheckpoint.size.desc())
    .limit(1)
)
_KEYS = select(LogKey.__table__).order_by(LogKey.since_size.desc(), LogKey.verification_key)
