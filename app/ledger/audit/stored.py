"""Values exactly as stored: SQLite keeps ids and instants as text, which allows many spellings of one value."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, CursorResult, String, type_coerce
from sqlalchemy.orm import QueryableAttribute

from app.consent import ConsentEvent, timestamp
from app.database import AnySelect
from app.event_macs import Macs
from app.ledger.verifier import Refuted, decode_hex

STREAM = 2000
"""Rows of each stream that are in memory at once."""
IDENTIFYING = (
    ConsentEvent.id,
    ConsentEvent.type,
    ConsentEvent.subscriber_id,
    ConsentEvent.subscription_id,
    ConsentEvent.newsletter,
    ConsentEvent.occurred_at,
)

Row = TypeVar("Row")


def stream(connection: Connection, statement: AnySelect) -> CursorResult[*tuple[Any, ...]]:
    """The caller must close it, because it holds a server-side cursor."""
    return connection.execute(statement, execution_options={"yield_per": STREAM})


def raw(attribute: QueryableAttribute[Any]) -> ColumnElement[Any]:
    return type_coerce(attribute, String).label(attribute.key)


@dataclass(frozen=True, slots=True)
class Forms:
    """Converts values of the evidence to the form in which this database stores them."""

    on_sqlite: bool

    @classmethod
    def of(cls, connection: Connection) -> "Forms":
        return cls(on_sqlite=connection.dialect.name == "sqlite")

    def id(self, text: str | None) -> str | UUID | None:
        """Raises ValueError if the text is not a UUID in canonical spelling; `instant` likewise."""
        if text is None:
            return None
        found = UUID(text)
        if str(found) != text:
            raise ValueError
        return found.hex if self.on_sqlite else found

    def instant(self, text: str) -> str | datetime:
        found = datetime.fromisoformat(text)
        if timestamp(found) != text:
            raise ValueError
        return found.isoformat(timespec="milliseconds") if self.on_sqlite else found


def unhex(text: str) -> bytes | None:
    """None if it is not hexadecimal in its canonical spelling."""
    try:
        return decode_hex(text)
    except (Refuted, ValueError):
        return None


def instant(value: object) -> datetime | None:
    """Parse an instant as either database stores it; None if it is not one, or has no time zone."""
    try:
        found = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return found if found.tzinfo else None


def is_ours(event: Any, keys: Macs) -> bool:
    """Whether this application wrote it: proved by its place in the log, otherwise by its MAC."""
    return event.position is not None or keys.fit(event.mac, UUID(str(event.id)), event.evidence_hash)


def counted(rows: Iterable[Row], seen: Callable[[int], None]) -> Iterator[Row]:
    unsaid = 0
    for row in rows:
        yield row
        unsaid += 1
        if unsaid == STREAM:
            seen(unsaid)
            unsaid = 0
    seen(unsaid)
