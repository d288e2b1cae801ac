"""Allowances: how much mail may go at a time, in all, to one domain, and for one newsletter."""

from datetime import datetime

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from app.database import Base, Instant


class Allowance(Base):
    __tablename__ = "allowances"
    __table_args__ = (Index(None, "used_until"),)

    key: Mapped[str] = mapped_column(primary_key=True)
    used_until: Mapped[datetime] = mapped_column(Instant)
