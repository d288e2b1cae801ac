"""The catalogue that is in force, read from the database."""

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import Connection, select
from sqlalchemy.orm import Session

from app.database import AnyRow
from app.newsletters import reading
from app.newsletters.model import ControllerRow, NewsletterRow, Wording
from app.newsletters.terms import BySlug, Catalogue, Newsletter


def load(connection: Connection | Session) -> Catalogue:
    terms = connection.execute(select(ControllerRow.terms)).scalar()
    controller = reading.read_controller(terms, []) if terms else None
    rows = connection.execute(
        select(NewsletterRow.slug, NewsletterRow.terms, NewsletterRow.retired_at, NewsletterRow.notices)
    )
    newsletters = {row.slug: _newsletter(row) for row in rows}
    return Catalogue(controller, BySlug(sorted(newsletters.items())))


def _newsletter(row: AnyRow) -> Newsletter:
    read = reading.read_newsletter(row.terms, (), [])
    return replace(read, is_retired=row.retired_at is not None, notices=row.notices)


def wordings(connection: Connection, digests: Sequence[str]) -> dict[str, AnyRow]:
    """Of those that people were shown: `text` and `first_used_at`, by SHA-256."""
    found = connection.execute(select(Wording.__table__).where(Wording.sha256.in_(digests)))
    return {row.sha256: row for row in found}
