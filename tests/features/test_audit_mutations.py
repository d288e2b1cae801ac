"""Single bits of every column that the log stands on: changed by somebody who may do anything, found by the audit."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from uuid import UUID

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from app.database import Base
from app.ledger import audit
from app.ledger.log import Log
from tests.features.conftest import OpenService
from tests.log import audited, bury, erase, grow, log_of, seal, without_triggers, write_events
from tests.service import Service

OLD, NEW = bytes(range(32)), bytes(range(1, 33))
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EVERY_BIT_OF = 16
"""Bytes. Of longer values one bit in each byte is changed, another one each time."""

ROWS = {
    "consent_events": "id IN (SELECT event_id FROM log_entries WHERE position IN (0, 1, 2, 5, 6))",
    "log_entries": "position IN (0, 3, 5)",
    "tree_nodes": "level > 0",
    "checkpoints": "size > 0",
    "log_keys": "since_size > 0",
    "wordings": "sha256 = (SELECT min(sha256) FROM wordings)",
}
"""Among the events: one that was erased, one that was not, and the tombstone; and both as older versions erased."""

UNPROVEN = {("wordings", "first_used_at"), ("checkpoints", "signed_at"), ("consent_events", "mac")}
"""For operators; for how much is published; and for the sealer. Once an event is sealed, no evidence leans on them."""

Fate = Literal["found", "not to be stored", "MISSED"]


@dataclass(frozen=True, slots=True)
class Cell:
    table: str
    column: str
    row: dict[str, Any]
    """Its primary key."""
    value: Any


@pytest.fixture
def service(open_service: OpenService) -> Service:
    """A log with everything in it: two keys, a hand-over, an erasure with its tombstone."""
    grow(open_service(log_signing_keys=(OLD,)), [2])
    service = open_service(log_signing_keys=(NEW, OLD))
    grow(service, [5])
    erase(service)
    bury(service, 2)
    assert seal(service.database, log_of(service)) == 2
    write_events(service.database, 1)
    assert audited(service) == []
    return service


def test_every_changed_bit_is_found(service: Service, record_property: Callable[[str, object], None]) -> None:
    with without_triggers(service.database) as connection:
        if connection.dialect.name == "sqlite":
            driver: Any = connection.connection.driver_connection
            driver.text_factory = lambda raw: raw.decode(errors="surrogateescape")
        tried = Counter(
            (cell.table, cell.column, fate(connection, log_of(service), cell, bit)) for cell, bit in every(connection)
        )
    fates = Counter(dict.fromkeys(("found", "MISSED"), 0))
    for (_table, _column, what), number in tried.items():
        fates[what] += number
    record_property(
        "counted", f"{fates.total():,} bits tried; " + ", ".join(f"{fates[each]:,} {each}" for each in fates)
    )
    assert {(table, column) for table, column, _ in tried} == columns() - UNPROVEN
    assert [each for each in tried if each[2] == "MISSED"] == []
    assert sum(tried.values()) > 3000
    assert audited(service) == []


def columns() -> set[tuple[str, str]]:
    return {(table, column.name) for table in ROWS for column in Base.metadata.tables[table].columns}


def every(connection: Connection) -> Iterator[tuple[Cell, int]]:
    for table, which in ROWS.items():
        keys = [column.name for column in Base.metadata.tables[table].primary_key]
        for row in connection.execute(text(f"SELECT * FROM {table} WHERE {which}")).mappings().all():
            for column, value in row.items():
                if value is not None and (table, column) not in UNPROVEN:
                    cell = Cell(table, column, {key: row[key] for key in keys}, value)
                    yield from ((cell, bit) for bit in bits(value))


def bits(value: Any) -> list[int]:
    if isinstance(value, int):
        return [*range(63)]
    size = len(as_bytes(value))
    return [*range(8 * size)] if size <= EVERY_BIT_OF else [8 * byte + byte % 8 for byte in range(size)]


def as_bytes(value: Any) -> bytes:
    match value:
        case str():
            return value.encode()
        case UUID():
            return value.bytes
        case datetime():
            return ((value - EPOCH) // timedelta(microseconds=1)).to_bytes(8, "big")
        case _:
            return bytes(value)


def changed(value: Any, bit: int) -> Any:
    """Raises ValueError or OverflowError where no such value of the type exists."""
    if isinstance(value, int):
        return value ^ 1 << bit
    data = bytearray(as_bytes(value))
    data[bit // 8] ^= 1 << bit % 8
    match value:
        case UUID():
            return UUID(bytes=bytes(data))
        case datetime():
            return EPOCH + timedelta(microseconds=int.from_bytes(data, "big"))
        case _:
            return bytes(data)


def fate(connection: Connection, log: Log, cell: Cell, bit: int) -> Fate:
    is_text = isinstance(cell.value, str)
    on_sqlite = connection.dialect.name == "sqlite"
    try:
        value = changed(cell.value, bit)
        value = value.decode() if is_text and not on_sqlite else value
    except (ValueError, OverflowError):
        return "not to be stored"
    new = "CAST(:value AS TEXT)" if is_text and on_sqlite else ":value"
    where = " AND ".join(f"{key} = :{key}_" for key in cell.row)
    keys = {f"{key}_": of_row for key, of_row in cell.row.items()}
    with connection.begin_nested() as savepoint:
        try:
            done = connection.execute(
                text(f"UPDATE {cell.table} SET {cell.column} = {new} WHERE {where}"), {**keys, "value": value}
            )
            assert done.rowcount == 1
        except DBAPIError:
            found: Fate = "not to be stored"
        else:
            found = "found" if any(audit.findings(connection, log, lambda _rows: None)) else "MISSED"
        savepoint.rollback()
    return found
