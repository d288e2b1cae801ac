"""What the database itself refuses: that evidence and words change or go, and states that cannot be."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from app.database import Database
from tests.rows import EVENT, rows

WORDING = "INSERT INTO wordings (sha256, text, first_used_at) VALUES ('aa', 'Yes.', '2026-11-23T20:00:00.000+00:00')"


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE wordings SET text = 'No.'",
        "UPDATE wordings SET first_used_at = first_used_at",
        "DELETE FROM wordings",
    ],
)
def test_the_database_keeps_every_wording(database: Database, statement: str) -> None:
    refuses(database, WORDING, statement)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE consent_events SET evidence = '{\"forged\":1}'",
        "UPDATE consent_events SET evidence = NULL",
        "UPDATE consent_events SET salt = NULL",
        "UPDATE consent_events SET evidence = NULL, salt = NULL, type = 'subscription.confirmed'",
        "UPDATE consent_events SET evidence = NULL, salt = NULL, occurred_at = '2026-11-24T20:00:00.000+00:00'",
        "UPDATE consent_events SET newsletter = 'events'",
        "DELETE FROM consent_events",
    ],
)
def test_the_database_keeps_every_consent_event(database: Database, statement: str) -> None:
    refuses(database, EVENT, statement)


@pytest.mark.parametrize("table", ["wordings", "consent_events"])
def test_there_is_no_way_round(database: Database, engine: str, table: str) -> None:
    """Each engine has a verb of its own that removes rows and asks no DELETE trigger."""
    row = WORDING if table == "wordings" else EVENT
    way = f"TRUNCATE {table} CASCADE" if engine == "postgresql" else row.replace("INSERT", "INSERT OR REPLACE")
    refuses(database, row, way)


def test_erasure_may_blank_evidence_and_salt_together_and_nothing_can_be_put_back(database: Database) -> None:
    with database.writer.begin() as connection:
        connection.execute(text(EVENT))
        connection.execute(text("UPDATE consent_events SET evidence = NULL, salt = NULL"))
    assert rows(database, "consent_events")[0].evidence is None
    with pytest.raises(DBAPIError), database.writer.begin() as connection:
        connection.execute(text("UPDATE consent_events SET evidence = '{}', salt = 'aa'"))


@pytest.mark.parametrize(
    "change",
    [
        "subscriber_id = '00000000000000000000000000000009'",
        "newsletter = 'events'",
        "occurred_at = '2026-11-22T00:00:00.000+00:00'",
        "evidence_hash = 'cc'",
        "type = 'letter.accepted'",
    ],
)
def test_erasure_may_blank_whose_event_it_was_and_put_nobody_in_their_place(database: Database, change: str) -> None:
    refuses(database, EVENT, f"UPDATE consent_events SET evidence = NULL, salt = NULL, {change}")
    blank = "subscriber_id = NULL, newsletter = NULL, occurred_at = '2026-11-23T00:00:00.000+00:00'"
    with database.writer.begin() as connection:
        connection.exec_driver_sql(
            f"UPDATE consent_events SET evidence = NULL, salt = NULL, {blank},"
            " erased_by = '00000000000000000000000000000003'"
        )
    (event,) = rows(database, "consent_events")
    assert event.subscriber_id is event.newsletter is None
    for again in (change, "erased_by = '00000000000000000000000000000004'"):
        with pytest.raises(DBAPIError, match="never changed or deleted"), database.writer.begin() as connection:
            connection.exec_driver_sql(f"UPDATE consent_events SET {again}")


def refuses(database: Database, row: str, statement: str) -> None:
    with database.writer.begin() as connection:
        connection.exec_driver_sql(row)
    before = rows(database, "wordings"), rows(database, "consent_events")
    with pytest.raises(DBAPIError, match="never changed or deleted"), database.writer.begin() as connection:
        connection.exec_driver_sql(statement)
    assert (rows(database, "wordings"), rows(database, "consent_events")) == before


def test_what_only_reads_cannot_write(database: Database) -> None:
    with pytest.raises(DBAPIError, match=r"read-?only"), database.read_only() as connection:
        connection.execute(text(WORDING))


@pytest.mark.parametrize(
    ("column", "value"),
    [("status", "'maybe'"), ("expires_at", "NULL"), ("ended_as", "'pending'")],
)
def test_the_database_refuses_a_state_that_cannot_be(database: Database, column: str, value: str) -> None:
    subscription = {
        "id": "'00000000000000000000000000000003'",
        "subscriber_id": "'00000000000000000000000000000002'",
        "newsletter": "'weekly'",
        "status": "'pending'",
        "since": "'2026-11-23T20:00:00.000+00:00'",
        "version": "1",
        "nonce": "'n'",
        "expires_at": "'2026-11-26T20:00:00.000+00:00'",
        column: value,
    }
    insert = f"INSERT INTO subscriptions ({', '.join(subscription)}) VALUES ({', '.join(subscription.values())})"
    with pytest.raises(DBAPIError, match="ck_subscriptions_"), database.writer.begin() as connection:
        connection.exec_driver_sql(insert)
