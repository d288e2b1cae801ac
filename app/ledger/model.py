"""Tables of the log: entries, inner nodes, signed checkpoints, their keys; and the results of audits.

Invariant: the database refuses UPDATE and DELETE on the whole log. Only the list of unsealed events shrinks, when
sealing gives them a position or sets them aside.
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Integer, LargeBinary, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.database import Base, Instant

# SQLite autoincrements only a column of exactly this type.
Number = BigInteger().with_variant(Integer, "sqlite")


class UnsealedEvent(Base):
    """An event that waits for its position. A trigger inserts it with the event, so no event can bypass sealing."""

    __tablename__ = "unsealed_events"
    __table_args__ = (UniqueConstraint("event_id"),)

    number: Mapped[int] = mapped_column(Number, primary_key=True)
    event_id: Mapped[UUID]
    mac: Mapped[str | None]
    """Set if an operator has vouched for the event: it replaces the event's own MAC."""


class RefusedEvent(Base):
    """An event that sealing set aside because its MAC is not ours, so that it is reported and does not block others."""

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
    """By our own clock, never before that of a smaller checkpoint. The default: signed before this column."""


class LogKey(Base):
    """A key that has signed: published permanently, so that old receipts can be verified."""

    __tablename__ = "log_keys"

    verification_key: Mapped[str] = mapped_column(primary_key=True)
    """In the signed-note format: name, id and key in one line."""
    since_size: Mapped[int] = mapped_column(Number)
    """The first checkpoint that it signed."""
    introduction: Mapped[str]
    """A note signed by this key: since which size it signs, and which former keys it vouches for."""


class Audit(Base):
    """One per day: by the first worker to claim it, or the operator's last manual run."""

    __tablename__ = "audits"

    day: Mapped[str] = mapped_column(primary_key=True)
    begun_at: Mapped[datetime] = mapped_column(Instant)
    finished_at: Mapped[datetime | None] = mapped_column(Instant)
    events: Mapped[int | None] = mapped_column(Number)
    findings: Mapped[int | None] = mapped_column(Number)
