"""Reports of feedback, and the rows that make a repeated report count once."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, false
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.addresses import EmailAddress
from app.database import Base, Instant
from app.database.purge import purge_rows
from app.database.upsert import insert_into


class FeedbackKind(StrEnum):
    HARD_BOUNCE = "hard_bounce"
    SOFT_BOUNCE = "soft_bounce"
    COMPLAINT = "complaint"
    UNSUBSCRIBE = "unsubscribe"


class Outcome(StrEnum):
    TAKEN = "taken"
    REPEATED = "repeated"
    """The same report came before: nothing was done."""
    UNKNOWN = "unknown"
    """It is about nobody known: nothing was done, nor kept."""


@dataclass(frozen=True, slots=True)
class Report:
    """One event in neutral terms, from a trusted source: a forged message makes no report."""

    kind: FeedbackKind
    source: str
    """Its origin: `dsn`, `arf`, `mail`, `smtp`, or the provider's name."""
    fingerprint: str
    """The same for each copy of the same report; differs between reports. Holds no personal data."""
    letter_id: UUID | None = None
    """The letter it is about, by its signed envelope sender or its Message-ID."""
    subscription_id: UUID | None = None
    """The subscription to leave, of an unsubscribe mail."""
    provider_list: str = ""
    """The list at a provider that was left, such as `sendgrid/10`."""
    address: EmailAddress | None = None
    """The address that a provider with proven identity names; the mail may not be ours."""
    code: str = ""
    """The status code, such as `5.1.1`, else the basic one, if there is one. No text: that may quote the address."""
    counts: bool = False
    """Of a soft bounce: it is about the mailbox, and counts towards giving it up."""


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
    code: Mapped[str]
    counts: Mapped[bool] = mapped_column(server_default=false())
    """Of a soft bounce: it is about the mailbox, and counts towards giving it up."""
    received_at: Mapped[datetime] = mapped_column(Instant)


def fingerprint(*parts: str) -> str:
    """Digest of the parts that identify a report."""
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def about_letter(kind: FeedbackKind, source: str, letter_id: UUID, *, code: str = "", counts: bool = False) -> Report:
    """One letter has one fate: any further report of this kind about it, by any channel, is the same report."""
    told_apart = fingerprint("letter", str(letter_id), kind)
    return Report(kind, source, told_apart, letter_id=letter_id, code=code, counts=counts)


def note(session: Session, report: Report, digest: str, now: datetime) -> bool:
    """False if the report was noted before. Waits for another transaction that is noting it."""
    row = insert_into(FeedbackReport, session).values(
        fingerprint=report.fingerprint,
        digest=digest,
        kind=report.kind,
        source=report.source,
        code=report.code,
        counts=report.counts,
        received_at=now,
    )
    noted = row.on_conflict_do_nothing().returning(FeedbackReport.fingerprint)
    return session.scalars(noted).first() is not None


def purge(session: Session, before: datetime, *, at_most: int) -> int:
    """Delete the reports received before then. Returns how many."""
    return purge_rows(session, FeedbackReport, FeedbackReport.received_at <= before, at_most=at_most)
