"""Rows of tables, written and read in SQL, without the models."""

from typing import Any

from app.database import Database

EVENT = """
    INSERT INTO consent_events (id, type, subscriber_id, newsletter, occurred_at, evidence, salt, evidence_hash)
    VALUES (
        '00000000000000000000000000000001', 'subscription.requested', '00000000000000000000000000000002', 'weekly',
        '2026-11-23T20:00:00.000+00:00', '{}', 'aa', 'bb'
    )
"""


def rows(database: Database, table: str) -> list[Any]:
    with database.read_only() as connection:
        return list(connection.exec_driver_sql(f"SELECT * FROM {table}"))
