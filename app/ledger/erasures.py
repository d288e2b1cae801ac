"""Erasures of the last weeks, by id: what a tombstone, which is sealed for good, must not say.

Whoever holds a copy has to be told whose data was erased (GDPR Art. 19), and an erasure has to be repeated after an
older backup is restored. So the ids are kept beside the log, for as long as backups should be kept, and then deleted.
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, Index, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.database import Base, Instant
from app.database.purge import purge_rows


class RecentErasure(Base):
    """One subscription that a tombstone is about."""

    __tablename__ = "erasures"
    __table_args__ = (Index(None, "subscription_id"), Index(None, "subscriber_id"), Index(None, "erased_at"))

    event_id: Mapped[UUID] = mapped_column(primary_key=True)
    """The tombstone's."""
    subscription_id: Mapped[UUID] = mapped_column(primary_key=True)
    subscriber_id: Mapped[UUID]
    newsletter: Mapped[str]
    is_of_person: Mapped[bool]
    """Whether the person was erased as a whole."""
    erased_at: Mapped[datetime] = mapped_column(Instant)


def newsletter_of(connection: Connection, subscription_id: UUID) -> str | None:
    """Of a subscription that was erased lately."""
    return connection.scalar(
        select(RecentErasure.newsletter).where(RecentErasure.subscription_id == subscription_id).limit(1)
    )


def purge(session: Session, until: datetime, *, at_most: int) -> int:
    """Delete those of `until` and before. Returns how many."""
    return purge_rows(session, RecentErasure, RecentErasure.erased_at <= until, at_most=at_most)
