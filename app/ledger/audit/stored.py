"""Values as the database holds them, to the letter: SQLite keeps ids and instants as text, which has many spellings."""

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
"""Rows that are in memory at once, of each stream."""
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
    """To be closed, as a cursor of the server stands behind it."""
    return connection.execute(statement, execution_options={"yield_per": STREAM})


def raw(attribute: QueryableAttribute[Any]) -> ColumnElement[Any]:
    return type_coerce(attribute, String).label(attribute.key)


@dataclass(frozen=True, slots=True)
class Forms:
    """What evidence says, in the form that this database would hold it in."""

    on_sqlite: bool

    @classmethod
    def of(cls, connection: Connection) -> "Forms":
        return cls(on_sqlite=connection.dialect.name == "sqlite")

    def id(self, text: str | None) -> str | UUID | None:
        """Raises ValueError where it is no UUID in its usual spelling, and so do the others."""
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
    """None where it is not hexadecimal in its one right spelling."""
    try:
        return decode_hex(text)
    except (Refuted, ValueError):
        return None


def instant(value: object) -> datetime | None:
    """Of what either database stores for one; None where it is none, or in no time zone."""
    try:
        found = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return found if found.tzinfo else None


def is_ours(event: Any, keys: Macs) -> bool:
    """Whether this application wrote it: the log stands for that, else its MAC."""
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
