"""Proof of work: what a signup costs the machine that sends it, while its newsletter is attacked."""

from datetime import datetime

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from app.database import Base, Instant


class SpentProof(Base):
    """One that was used, and is refused until it expires by itself."""

    __tablename__ = "spent_proofs"
    __table_args__ = (Index(None, "expires_at"),)

    proof: Mapped[str] = mapped_column(primary_key=True)
    """SHA-256 of it."""
    expires_at: Mapped[datetime] = mapped_column(Instant)
