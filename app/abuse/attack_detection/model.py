"""Tables of attack detection: tripped breakers, their changes, counts per minute, position in the log."""

from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from app.database import Base, Instant


class Breaker(Base):
    """A tripped breaker."""

    __tablename__ = "breakers"

    newsletter: Mapped[str] = mapped_column(ForeignKey("newsletters.slug"), primary_key=True)
    tripped_at: Mapped[datetime] = mapped_column(Instant)
    reason: Mapped[str]
    attacked_at: Mapped[datetime] = mapped_column(Instant)
    """When the counts last looked like an attack."""


class BreakerChange(Base):
    __tablename__ = "breaker_changes"
    __table_args__ = (Index(None, "changed_at"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    newsletter: Mapped[str] = mapped_column(ForeignKey("newsletters.slug"))
    changed_at: Mapped[datetime] = mapped_column(Instant)
    is_tripped: Mapped[bool]
    reason: Mapped[str]
    requests: Mapped[int]
    confirmations: Mapped[int]
    declines: Mapped[int]


class BreakerMinute(Base):
    __tablename__ = "breaker_minutes"

    minute: Mapped[datetime] = mapped_column(Instant, primary_key=True)
    newsletter: Mapped[str] = mapped_column(primary_key=True)
    requests: Mapped[int]
    confirmations: Mapped[int]
    declines: Mapped[int]


class BreakerProgress(Base):
    """How far the log has been counted: the position of the first event not yet counted."""

    __tablename__ = "breaker_progress"
    __table_args__ = (CheckConstraint("id = 1", "one_row"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    next_position: Mapped[int] = mapped_column(BigInteger)
