"""The catalogue as rows. The terms of a newsletter are stored as its table in the file, and read whole."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.database import Base, Instant


class ControllerRow(Base):
    __tablename__ = "controllers"
    __table_args__ = (CheckConstraint("id = 1", "only_one"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    terms: Mapped[dict[str, Any]] = mapped_column(JSON)
    processors: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list, server_default="[]")


class NewsletterRow(Base):
    __tablename__ = "newsletters"

    slug: Mapped[str] = mapped_column(primary_key=True)
    terms: Mapped[dict[str, Any]] = mapped_column(JSON)
    retired_at: Mapped[datetime | None] = mapped_column(Instant)
    """Retired newsletters take no signups; their subscribers can still leave."""
    notices: Mapped[dict[str, list[str]]] = mapped_column(JSON, default=dict, server_default="{}")
    """By language, the SHA-256 of each privacy notice that people were shown, newest first. The texts are wordings."""


class Wording(Base):
    """A text that evidence cites: what people were shown, and who asked (`Controller.identity`)."""

    __tablename__ = "wordings"

    sha256: Mapped[str] = mapped_column(primary_key=True)
    text: Mapped[str]
    first_used_at: Mapped[datetime] = mapped_column(Instant)
