"""Address changes: their rows and states."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto
from uuid import UUID, uuid4

from sqlalchemy import CheckConstraint, ColumnElement, Connection, ForeignKey, Index, delete, exists, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Mapped, Session, mapped_column

from app import outbox
from app.addresses import EmailAddress
from app.database import AnyRow, Base, Instant
from app.database.purge import purge_rows
from app.outbox import Letter, LetterKind
from app.subscriptions.model import Status, Subscriber, Subscription

CONFIRM_WITHIN = timedelta(hours=72)
UNDO_WITHIN = timedelta(days=7)


class ChangeStanding(Enum):
    OPEN = auto()
    CONFIRMED = auto()
    UNDONE = auto()
    TAKEN = auto()
    """The target address is another subscriber's. Only the press finds that out; nothing changed."""
    OVER = auto()
    """Declined, replaced, not confirmed in time, or erased: no action is possible any more."""


class AddressChange(Base):
    __tablename__ = "address_changes"
    __table_args__ = (
        CheckConstraint("(wanted IS NULL) = (wanted_digest IS NULL)", "wanted_together"),
        Index(None, "subscriber_id"),
        Index(None, "ends_at"),
        Index(None, "former_digest"),
        Index(None, "wanted_digest"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    subscriber_id: Mapped[UUID] = mapped_column(ForeignKey("subscribers.id", ondelete="CASCADE"))
    former: Mapped[str]
    """As typed, here and below."""
    former_digest: Mapped[str]
    """`EmailAddress.digest`, here and below."""
    former_mailbox_digest: Mapped[str | None]
    """As in `Subscriber`, here and below."""
    wanted: Mapped[str | None]
    """None if the change is void: declined, replaced, or over the recipient limit. It then counts only for its day."""
    wanted_digest: Mapped[str | None]
    wanted_mailbox_digest: Mapped[str | None]
    asked_at: Mapped[datetime] = mapped_column(Instant)
    confirmed_at: Mapped[datetime | None] = mapped_column(Instant)
    undone_at: Mapped[datetime | None] = mapped_column(Instant)
    ends_at: Mapped[datetime] = mapped_column(Instant)
    """From then on it can be neither confirmed nor undone, and is purged."""


@dataclass(frozen=True, slots=True)
class AddressChangeView:
    """An address change as its pages show it."""

    change_id: UUID
    standing: ChangeStanding
    former: EmailAddress
    wanted: EmailAddress
    confirmed_at: datetime | None
    language: str
    newsletters: tuple[str, ...]
    """The confirmed ones, which move."""


def standing(change: AddressChange | AnyRow, now: datetime) -> ChangeStanding:
    if change.wanted is None or now >= change.ends_at:
        return ChangeStanding.OVER
    if change.undone_at:
        return ChangeStanding.UNDONE
    return ChangeStanding.CONFIRMED if change.confirmed_at else ChangeStanding.OPEN


def find(connection: Connection, change_id: UUID, now: datetime) -> AddressChangeView | None:
    """None if the change is void or purged, or the person is erased."""
    change = connection.execute(select(AddressChange).where(AddressChange.id == change_id)).first()
    if change is None or change.wanted is None:
        return None
    held = connection.execute(
        select(Subscriber.language, Subscription.newsletter)
        .outerjoin(
            Subscription, (Subscription.subscriber_id == Subscriber.id) & (Subscription.status == Status.CONFIRMED)
        )
        .where(Subscriber.id == change.subscriber_id)
        .order_by(Subscription.newsletter)
    ).all()
    if not held:
        return None  # erased since the first statement
    newsletters = tuple(row.newsletter for row in held if row.newsletter)
    stands = standing(change, now)
    return AddressChangeView(
        change_id=change_id,
        standing=ChangeStanding.OVER if stands is ChangeStanding.OPEN and not newsletters else stands,
        former=EmailAddress.parse(change.former),
        wanted=EmailAddress.parse(change.wanted),
        confirmed_at=change.confirmed_at,
        language=held[0].language,
        newsletters=newsletters,
    )


def owe(
    session: Session, kind: LetterKind, change: AddressChange, person: Subscriber, about: Sequence[Subscription]
) -> Letter:
    """Owe a letter about the change; `kind` determines which of the two addresses it goes to."""
    nonces = {str(each.id): each.nonce for each in about}
    letter = outbox.owe(session, kind, subscriber_id=person.id, language=person.language, about=nonces)
    letter.address_change_id = change.id
    return letter


def has_moved(connection: Connection, subscriber_id: UUID, *, since: datetime) -> bool:
    """Whether the person has changed address since then: earlier mail may be in other hands."""
    return bool(connection.scalar(select(moved(subscriber_id, since=since))))


def moved(subscriber_id: UUID | InstrumentedAttribute[UUID], *, since: datetime) -> ColumnElement[bool]:
    """`has_moved` as an SQL condition."""
    lately = or_(AddressChange.confirmed_at >= since, AddressChange.undone_at >= since)
    return exists().where(AddressChange.subscriber_id == subscriber_id, lately)


def purge(session: Session, now: datetime, *, at_most: int) -> int:
    """Delete changes that can no longer be confirmed or undone. Returns how many."""
    return purge_rows(session, AddressChange, AddressChange.ends_at <= now, at_most=at_most)


def forget_address(session: Session, digest: str) -> None:
    """Erase the changes from or to the address, with their letters."""
    named = or_(AddressChange.former_digest == digest, AddressChange.wanted_digest == digest)
    session.execute(delete(AddressChange).where(named))
