"""Subscribers and their subscriptions, as rows."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID, uuid4

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from app import consent
from app.addresses import EmailAddress
from app.database import Base, Instant


class Status(StrEnum):
    PENDING = "pending"
    CONFIRMED = "confirmed"
    UNSUBSCRIBED = "unsubscribed"
    BOUNCED = "bounced"
    COMPLAINED = "complained"


HAS_ENDED = text("status NOT IN ('pending', 'confirmed')")


class Subscriber(Base):
    __tablename__ = "subscribers"
    __table_args__ = (
        UniqueConstraint("canonical"),
        Index(
            "ix_subscribers_incomplete",
            "id",
            postgresql_where=text("mailbox_digest IS NULL"),
            sqlite_where=text("mailbox_digest IS NULL"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    address: Mapped[str]
    canonical: Mapped[str]
    digest: Mapped[str]
    """`EmailAddress.digest`: what ties the row to suppressions, which outlive it."""
    mailbox_digest: Mapped[str | None]
    """`Digests.mailbox`: what ties the row to objections from other addresses of its mailbox.

    None in a row from before there was such a digest, until `mailboxes.complete` has seen it.
    """
    language: Mapped[str]
    commitment_key: Mapped[str]
    """Ties evidence to the address (`consent.commitment`); erased with the row."""
    created_at: Mapped[datetime] = mapped_column(Instant)

    @property
    def email(self) -> EmailAddress:
        return EmailAddress(self.address, self.canonical)

    @property
    def commitment(self) -> str:
        """What evidence of now says of the address."""
        return consent.commitment(self.commitment_key, self.email)


class Subscription(Base):
    __tablename__ = "subscriptions"
    __table_args__ = (
        UniqueConstraint("subscriber_id", "newsletter"),
        CheckConstraint("status IN ('pending', 'confirmed', 'unsubscribed', 'bounced', 'complained')", "status"),
        CheckConstraint("ended_as IN ('unsubscribed', 'bounced', 'complained')", "ended_as"),
        CheckConstraint("(status = 'pending') = (expires_at IS NOT NULL)", "pending_expires"),
        CheckConstraint("status IN ('pending', 'confirmed') OR ended_as = status", "ended"),
        Index(None, "letter_id"),
        Index("ix_subscriptions_newsletter_status_id", "newsletter", "status", "id"),
        Index(
            "ix_subscriptions_expiring",
            "expires_at",
            postgresql_where=text("status = 'pending'"),
            sqlite_where=text("status = 'pending'"),
        ),
        Index(
            "ix_subscriptions_lapsing",
            "lapses_at",
            postgresql_where=text("lapses_at IS NOT NULL"),
            sqlite_where=text("lapses_at IS NOT NULL"),
        ),
        Index(
            "ix_subscriptions_ended",
            "newsletter",
            "ended_at",
            postgresql_where=HAS_ENDED,
            sqlite_where=HAS_ENDED,
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    subscriber_id: Mapped[UUID] = mapped_column(ForeignKey("subscribers.id", ondelete="CASCADE"))
    newsletter: Mapped[str] = mapped_column(ForeignKey("newsletters.slug"))
    status: Mapped[str]
    since: Mapped[datetime] = mapped_column(Instant)
    version: Mapped[int]
    """Counts changes; a request that decided on a stale row finds another number and starts over."""
    nonce: Mapped[str]
    """Part of every confirmation link; turns when the subscription ends, which kills the links sent before."""
    letter_id: Mapped[UUID | None] = mapped_column(ForeignKey("letters.id", ondelete="SET NULL"))
    """The newest confirmation letter owed for it."""
    asked_at: Mapped[datetime | None] = mapped_column(Instant)
    """When that letter was, or will be, due."""
    expires_at: Mapped[datetime | None] = mapped_column(Instant)
    """Until when a pending one can be confirmed."""
    ended_as: Mapped[str | None]
    ended_at: Mapped[datetime | None] = mapped_column(Instant)
    reason: Mapped[str | None]
    """How it last ended. Kept while pending again: a request that nobody confirms must not wipe out a withdrawal."""
    lapses_at: Mapped[datetime | None] = mapped_column(Instant)
    """When to erase one that ended, by what a mail system said, without ever being confirmed."""
    undo_id: Mapped[UUID | None]
    """What an undo of its ending has to name: chosen by chance where a press ended it, and gone at whatever follows."""
    former_commitment: Mapped[str | None]
    """The commitment in its newest request, where the person has another address since. The next one names it."""
