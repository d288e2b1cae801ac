"""The catalogue that is in force, read from the database."""

import threading
import time
from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import Connection, select
from sqlalchemy.orm import Session

from app.database import AnyRow, Database
from app.newsletters import reading
from app.newsletters.model import ControllerRow, NewsletterRow, Wording
from app.newsletters.terms import Catalogue, Newsletter

FRESH_FOR_SECONDS = 1.0


def load(connection: Connection | Session) -> Catalogue:
    terms = connection.execute(select(ControllerRow.terms)).scalar()
    controller = reading.read_controller(terms, []) if terms else None
    rows = connection.execute(
        select(NewsletterRow.slug, NewsletterRow.terms, NewsletterRow.retired_at, NewsletterRow.notices)
    )
    newsletters = {row.slug: _newsletter(row) for row in rows}
    return Catalogue(controller, dict(sorted(newsletters.items())))


def _newsletter(row: AnyRow) -> Newsletter:
    read = reading.read_newsletter(row.terms, (), [])
    return replace(read, is_retired=row.retired_at is not None, notices=row.notices)


def wordings(connection: Connection, digests: Sequence[str]) -> dict[str, AnyRow]:
    """Of those that people were shown: `text` and `first_used_at`, by SHA-256."""
    found = connection.execute(select(Wording.__table__).where(Wording.sha256.in_(digests)))
    return {row.sha256: row for row in found}


class CurrentCatalogue:
    """The catalogue as of at most a second ago: so long may a process take to notice that a new one was applied."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._read_at = float("-inf")
        self._catalogue = Catalogue(None)

    def get(self) -> Catalogue:
        if time.monotonic() - self._read_at < FRESH_FOR_SECONDS:
            return self._catalogue
        with self._lock:
            if time.monotonic() - self._read_at >= FRESH_FOR_SECONDS:
                with self._database.read_only() as connection:
                    self._catalogue = load(connection)
                self._read_at = time.monotonic()
            return self._catalogue
