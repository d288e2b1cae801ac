"""Feedback: what mail systems report about letters, and what becomes of subscriptions by it.

Readers of mail and of providers' webhooks (`app.feedback`) make a `Report` each; what a report does is decided here
and nowhere else. The same report twice does nothing more.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, Index
from sqlalchemy.orm import Mapped, mapped_column

from app.addresses import EmailAddress
from app.database import Base, Instant


class Kind(StrEnum):
    HARD_BOUNCE = "hard_bounce"
    SOFT_BOUNCE = "soft_bounce"
    COMPLAINT = "complaint"
    UNSUBSCRIBE = "unsubscribe"


@dataclass(frozen=True, slots=True)
class Report:
    """One neutral event. It comes from somebody who may be believed: what is forged makes no report."""

    kind: Kind
    source: str
    """Who says so: `dsn`, `arf`, `mail`, `smtp`, or the provider's name."""
    fingerprint: str
    """The same for each copy of the same report; differs between reports. Holds no personal data."""
    letter_id: UUID | None = None
    """The letter it is about, by its signed envelope sender or its Message-ID."""
    subscription_id: UUID | None = None
    """The subscription that an unsubscribe mail is about."""
    address: EmailAddress | None = None
    """Whom it is about, where a provider that proved who it is names an address: maybe of a mail that is not ours."""
    code: str = ""
    """The enhanced status code, such as `5.1.1`, as far as there is one. No text: that may quote the address."""


class FeedbackReport(Base):
    __tablename__ = "feedback_reports"
    __table_args__ = (
        CheckConstraint("kind IN ('hard_bounce', 'soft_bounce', 'complaint', 'unsubscribe')", "kind"),
        Index(None, "digest"),
        Index(None, "received_at"),
    )

    fingerprint: Mapped[str] = mapped_column(primary_key=True)
    digest: Mapped[str]
    """`EmailAddress.digest`."""
    kind: Mapped[str]
    source: Mapped[str]
    received_at: Mapped[datetime] = mapped_column(Instant)
