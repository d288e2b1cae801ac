"""The log as rows: entries, inner nodes, signed checkpoints and the keys that signed them; and what audits found.

Invariant: the database refuses UPDATE and DELETE on all of the log. Only the list of events that await their position
shrinks, by the sealing that gives them one, or sets them aside.
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Integer, LargeBinary, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.database import Base, Instant

# SQLite counts up by itself in a column of this very type only.
Number = BigInteger().with_variant(Integer, "sqlite")


class UnsealedEvent(Base):
    """A trigger writes it with its event, so that no event can be written that is never owed a position."""

    __tablename__ = "unsealed_events"
    __table_args__ = (UniqueConstraint("event_id"),)

    number: Mapped[int] = mapped_column(Number, primary_key=True)
    event_id: Mapped[UUID]
    mac: Mapped[str | None]
    """Of one that an operator has vouched for: it counts in the place of the event's own."""


class RefusedEvent(Base):
    """Set aside by sealing, as its MAC is not ours: kept out of the way of the others, and to be told."""

    __tablename__ = "refused_events"

    event_id: Mapped[UUID] = mapped_column(primary_key=True)
    refused_at: Mapped[datetime] = mapped_column(Instant)


class LogEntry(Base):
    __tablename__ = "log_entries"
    __table_args__ = (UniqueConstraint("event_id"), CheckConstraint("position >= 0", "position"))

    position: Mapped[int] = mapped_column(Number, primary_key=True, autoincrement=False)
    """Zero-based, without gaps: the index of the leaf."""
    event_id: Mapped[UUID] = mapped_column(ForeignKey("consent_events.id"))
    leaf: Mapped[bytes] = mapped_column(LargeBinary)


class TreeNode(Base):
    """A complete subtree of two leaves or more."""

    __tablename__ = "tree_nodes"
    __table_args__ = (CheckConstraint("level > 0 AND number >= 0", "inner"),)

    level: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    number: Mapped[int] = mapped_column(Number, primary_key=True, autoincrement=False)
    hash: Mapped[bytes] = mapped_column(LargeBinary)


class SignedCheckpoint(Base):
    __tablename__ = "checkpoints"
    __table_args__ = (CheckConstraint("size > 0", "size"), Index(None, "signed_at", "size"))

    size: Mapped[int] = mapped_column(Number, primary_key=True, autoincrement=False)
    root: Mapped[bytes] = mapped_column(LargeBinary)
    note: Mapped[str]
    """The text that was signed, with its signatures (C2SP tlog-checkpoint)."""
    signed_at: Mapped[datetime] = mapped_column(Instant, server_default="1970-01-01T00:00:00.000+00:00")
    """By our own clock, never before that of a smaller one. What was signed before this was kept has the default."""


class LogKey(Base):
    """A key that has signed: published for good, for whoever holds a receipt from its days."""

    __tablename__ = "log_keys"

    verification_key: Mapped[str] = mapped_column(primary_key=True)
    """In the form of a signed note: name, id and key in one line."""
    since_size: Mapped[int] = mapped_column(Number)
    """The first checkpoint that it signed."""
    introduction: Mapped[str]
    """A signed note of the key's own: since when it signs, and which former keys it vouches for."""


class Audit(Base):
    """One a day, whichever worker comes first, or whoever ran it last by hand."""

    __tablename__ = "audits"

    day: Mapped[str] = mapped_column(primary_key=True)
    begun_at: Mapped[datetime] = mapped_column(Instant)
    finished_at: Mapped[datetime | None] = mapped_column(Instant)
    events: Mapped[int | None] = mapped_column(Number)
    findings: Mapped[int | None] = mapped_column(Number)
