"""What is reported, and the rows by which a report counts once however often it comes."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, Index
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
    """It is about nobody: nothing was done, nor kept."""


@dataclass(frozen=True, slots=True)
class Report:
    """One neutral event. It comes from somebody who may be believed: what is forged makes no report."""

    kind: FeedbackKind
    source: str
    """Who says so: `dsn`, `arf`, `mail`, `smtp`, or the provider's name."""
    fingerprint: str
    """The same for each copy of the same report; differs between reports. Holds no personal data."""
    letter_id: UUID | None = None
    """The letter it is about, by its signed envelope sender or its Message-ID."""
    subscription_id: UUID | None = None
    """The one to leave, of an unsubscribe mail."""
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
    code: Mapped[str]
    received_at: Mapped[datetime] = mapped_column(Instant)


def fingerprint(*parts: str) -> str:
    """A digest of what makes a report this one and no other."""
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def about_letter(kind: FeedbackKind, source: str, letter_id: UUID, code: str = "") -> Report:
    """One letter has one fate: whatever is reported of it again, by whichever way, is the same report."""
    return Report(kind, source, fingerprint("letter", str(letter_id), kind), letter_id=letter_id, code=code)


def note(session: Session, report: Report, digest: str, now: datetime) -> bool:
    """False where the report was noted before. Another transaction that is noting it is waited for."""
    row = insert_into(FeedbackReport, session).values(
        fingerprint=report.fingerprint,
        digest=digest,
        kind=report.kind,
        source=report.source,
        code=report.code,
        received_at=now,
    )
    noted = row.on_conflict_do_nothing().returning(FeedbackReport.fingerprint)
    return session.scalars(noted).first() is not None


def purge(session: Session, before: datetime, *, at_most: int) -> int:
    """Forget those that came before then. Returns how many."""
    return purge_rows(session, FeedbackReport, FeedbackReport.received_at <= before, at_most=at_most)
