"""This service's own log: its name and the keys that sign for it."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select

from app.errors import JawelError
from app.ledger.model import LogEntry, LogKey, SignedCheckpoint
from app.ledger.signing import Signer
from app.ledger.tree import Span
from app.ledger.verifier import Key


class LogIsInconsistent(JawelError):
    """What is stored is not what was signed. Nothing more is signed on top of it; the text says what is wrong."""


@dataclass(frozen=True, slots=True)
class Log:
    origin: str
    """The first line of each checkpoint, and the name of each key."""
    signers: tuple[Signer, ...]
    """Newest first. Only the newest signs; the one before it vouches once, at the hand-over."""

    @classmethod
    def of(cls, origin: str, seeds: Sequence[bytes]) -> "Log":
        return cls(origin, tuple(Signer.of(origin, seed) for seed in seeds))


def newest_checkpoint(connection: Connection) -> SignedCheckpoint | None:
    found = connection.execute(_NEWEST).mappings().first()
    return SignedCheckpoint(**found) if found else None


def verification_keys(connection: Connection, log: Log) -> list[Key]:
    """Newest first: those of the settings, also before they first sign, then all that ever signed."""
    ours = [signer.key for signer in log.signers]
    signed = [Key.parse(line) for line in connection.scalars(_KEYS)]
    return [*ours, *(key for key in signed if key not in ours)]


def leaves(connection: Connection, span: Span) -> list[bytes]:
    wanted = select(LogEntry.leaf).where(LogEntry.position >= span.begin, LogEntry.position < span.end)
    return [*connection.scalars(wanted.order_by(LogEntry.position))]


_NEWEST = select(SignedCheckpoint.__table__).order_by(SignedCheckpoint.size.desc()).limit(1)
_KEYS = select(LogKey.verification_key).order_by(LogKey.since_size.desc(), LogKey.verification_key)
