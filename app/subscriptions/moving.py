"""Moving to another address: asked for from the old mailbox, confirmed from the new one, undone from the old.

Invariant: the subscriptions stay the same ones. Evidence of the move names the commitment to both addresses, so that
what was agreed to at the former one can be followed to the present one.
"""

from datetime import datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy import ForeignKey, Index, delete, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.database import Base, Instant

CONFIRM_WITHIN = timedelta(hours=72)
UNDO_WITHIN = timedelta(days=7)


class AddressChange(Base):
    __tablename__ = "address_changes"
    __table_args__ = (Index(None, "subscriber_id"), Index(None, "ends_at"))

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    subscriber_id: Mapped[UUID] = mapped_column(ForeignKey("subscribers.id", ondelete="CASCADE"))
    former: Mapped[str]
    """As typed, here and below."""
    wanted: Mapped[str]
    asked_at: Mapped[datetime] = mapped_column(Instant)
    confirmed_at: Mapped[datetime | None] = mapped_column(Instant)
    ends_at: Mapped[datetime] = mapped_column(Instant)
    """When it can be neither confirmed nor undone any more, and is forgotten."""


def purge(session: Session, now: datetime, *, at_most: int) -> int:
    """Forget those that can be neither confirmed nor undone any more. Returns how many."""
    ended = select(AddressChange.id).where(AddressChange.ends_at <= now).limit(at_most)
    purged = delete(AddressChange).where(AddressChange.id.in_(ended.with_for_update(skip_locked=True)))
    return len(session.scalars(purged.returning(AddressChange.id)).all())
