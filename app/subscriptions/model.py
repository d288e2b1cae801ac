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
    """`EmailAddress.digest`: ties the row to suppressions, which outlive it."""
    mailbox_digest: Mapped[str | None]
    """`Digests.mailbox`: ties the row to objections from other addresses of its mailbox.

    None in a row older than this column, until `mailbox_backfill.complete` fills it in.
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
        """The commitment to the address in new evidence."""
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
        Index(
            "ix_subscriptions_attempt",
            "attempt",
            postgresql_where=text("attempt IS NOT NULL"),
            sqlite_where=text("attempt IS NOT NULL"),
        ),
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
    """Part of every confirmation link; replaced when the subscription ends, which invalidates earlier links."""
    letter_id: Mapped[UUID | None] = mapped_column(ForeignKey("letters.id", ondelete="SET NULL"))
    """The newest confirmation letter owed for it."""
    form_id: Mapped[str | None] = mapped_column("attempt")
    """`Letter.form_id` of the newest request, if that joined a letter which another form's request owes."""
    asked_at: Mapped[datetime | None] = mapped_column(Instant)
    """When that letter was, or will be, due; if a request joined it later, when that was."""
    expires_at: Mapped[datetime | None] = mapped_column(Instant)
    """Until when it can be confirmed, if pending."""
    ended_as: Mapped[str | None]
    ended_at: Mapped[datetime | None] = mapped_column(Instant)
    reason: Mapped[str | None]
    """How it last ended. Kept while pending again: an unconfirmed request must not erase a withdrawal."""
    lapses_at: Mapped[datetime | None] = mapped_column(Instant)
    """When to erase it, if mail feedback ended it before it was ever confirmed."""
    undo_id: Mapped[UUID | None]
    """Random value that an undo has to name: set if a press ended it, cleared by whatever follows."""
    undo_expires_at: Mapped[datetime | None] = mapped_column(Instant)
    """`expires_at` as an undo restores it: set if that press declined a pending request."""
    former_commitment: Mapped[str | None]
    """The commitment in its newest request, if the person has another address since. The next request names it."""
