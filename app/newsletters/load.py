"""The catalogue in force, read from the database."""

import json
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

from sqlalchemy import Connection, Text, cast, select
from sqlalchemy.orm import Session

from app.database import AnyRow
from app.newsletters import parsing
from app.newsletters.definitions import BySlug, Catalogue, Controller, Newsletter, sha256
from app.newsletters.fields import Table
from app.newsletters.tables import ControllerRow, NewsletterRow, Wording

KNOWN = 4096
"""How many parsed versions of newsletters are cached."""


def catalogue(connection: Connection | Session) -> Catalogue:
    row = connection.execute(select(ControllerRow.terms, ControllerRow.processors)).first()
    controller = _controller(row.terms, row.processors) if row else None
    rows = connection.execute(_NEWSLETTERS)
    asked_by = _kept(connection, controller) if controller else None
    newsletters = {row.slug: _newsletter(row.terms, row.notices, row.retired_at is not None, asked_by) for row in rows}
    return Catalogue(controller, BySlug(sorted(newsletters.items())))


def _controller(terms: Table, processors: Sequence[Table]) -> Controller:
    named = tuple(parsing.read_processor(each, (), []) for each in processors)
    return replace(parsing.read_controller(terms, []), processors=named)


@lru_cache(maxsize=KNOWN)
def _newsletter(terms: str, notices: str, is_retired: bool, asked_by: str | None) -> Newsletter:
    """Cached, because every process loads the catalogue each second, and it rarely changes."""
    read = parsing.read_newsletter(json.loads(terms), (), [])
    return replace(read, is_retired=is_retired, notices=json.loads(notices), asked_by=asked_by)


def _kept(connection: Connection | Session, controller: Controller) -> str | None:
    """The SHA-256 of the controller's identity; None if a version that kept none applied the catalogue."""
    return connection.execute(select(Wording.sha256).where(Wording.sha256 == sha256(controller.identity))).scalar()


_NEWSLETTERS = select(
    NewsletterRow.slug,
    cast(NewsletterRow.terms, Text).label("terms"),
    cast(NewsletterRow.notices, Text).label("notices"),
    NewsletterRow.retired_at,
)


def wordings(connection: Connection, digests: Sequence[str]) -> dict[str, AnyRow]:
    """`text` and `first_used_at` of these wordings, by SHA-256."""
    found = connection.execute(select(Wording.__table__).where(Wording.sha256.in_(digests)))
    return {row.sha256: row for row in found}
