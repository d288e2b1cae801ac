"""The catalogue that is in force, read from the database."""

import threading
import time
from dataclasses import replace

from sqlalchemy import Connection, select
from sqlalchemy.orm import Session

from app.database import Database
from app.newsletters import reading
from app.newsletters.model import ControllerRow, NewsletterRow
from app.newsletters.terms import Catalogue, Newsletter
from app.newsletters.values import Table

FRESH_FOR_SECONDS = 1.0


def load(connection: Connection | Session) -> Catalogue:
    terms = connection.execute(select(ControllerRow.terms)).scalar()
    controller = reading.read_controller(terms, []) if terms else None
    rows = connection.execute(select(NewsletterRow.slug, NewsletterRow.terms, NewsletterRow.retired_at))
    newsletters = {row.slug: _newsletter(row.terms, is_retired=row.retired_at is not None) for row in rows}
    return Catalogue(controller, dict(sorted(newsletters.items())))


def _newsletter(terms: Table, *, is_retired: bool) -> Newsletter:
    return replace(reading.read_newsletter(terms, (), []), is_retired=is_retired)


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
