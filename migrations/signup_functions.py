"""The functions of PostgreSQL that write a signup: made from the columns that the tables have, and so to be replaced by
every migration that adds one to them.

A version that runs while the schema is already newer hands over rows without the new columns. So each column is named,
and one that has a default takes it where the row says nothing.
"""

from collections.abc import Iterator

import sqlalchemy as sa
from sqlalchemy.engine.interfaces import ReflectedColumn

CARRIED_OVER = {"mail_budgets": ("digest", "linked_at"), "subscriptions": ("id", "subscriber_id", "newsletter")}
"""What a row that exists already keeps."""


def replace(connection: sa.Connection) -> None:
    """Idempotent. On SQLite there are none."""
    if connection.dialect.name == "sqlite":
        return
    for function in _functions(sa.inspect(connection)):
        connection.exec_driver_sql(function.replace("%", "%%"))


def _functions(schema: sa.Inspector) -> Iterator[str]:
    insert = {
        table: _insert(table, schema.get_columns(table))
        for table in ("mail_budgets", "subscribers", "letters", "subscriptions", "consent_events")
    }
    yield f"""
        CREATE OR REPLACE FUNCTION write_signup(
            the_subscribers text, the_letters text, the_subscriptions text, the_consent_events text
        ) RETURNS boolean LANGUAGE plpgsql AS $$
        BEGIN
            IF the_subscribers <> '[]' THEN
                {insert["subscribers"]};
            END IF;
            IF the_letters <> '[]' THEN
                {insert["letters"]};
            END IF;
            IF the_subscriptions <> '[]' THEN
                {insert["subscriptions"]}
                ON CONFLICT (subscriber_id, newsletter) DO UPDATE SET {_replacement(schema, "subscriptions")};
            END IF;
            IF the_consent_events <> '[]' THEN
                {insert["consent_events"]};
            END IF;
            RETURN true;
        END $$
    """
    yield f"""
        CREATE OR REPLACE FUNCTION record_signup(
            the_mail_budgets text,
            the_subscribers text, the_letters text, the_subscriptions text, the_consent_events text,
            undone_subscribers text, undone_letters text, undone_subscriptions text, undone_consent_events text
        ) RETURNS void LANGUAGE plpgsql AS $$
        DECLARE
            done boolean; -- an assignment costs less than PERFORM, which is a query
        BEGIN
            {insert["mail_budgets"]}
            ON CONFLICT (digest) DO UPDATE SET {_replacement(schema, "mail_budgets")};
            done := write_signup(the_subscribers, the_letters, the_subscriptions, the_consent_events);
            BEGIN
                done := write_signup(undone_subscribers, undone_letters, undone_subscriptions, undone_consent_events);
                RAISE SQLSTATE 'JW001';
            EXCEPTION WHEN SQLSTATE 'JW001' THEN
                NULL;
            END;
        END $$
    """


def _insert(table: str, columns: list[ReflectedColumn]) -> str:
    names = ", ".join(column["name"] for column in columns)
    values = ", ".join(_value(column) for column in columns)
    rows = f"json_populate_recordset(NULL::{table}, the_{table}::json)"
    return f"INSERT INTO {table} ({names}) SELECT {values} FROM {rows} AS r"


def _value(column: ReflectedColumn) -> str:
    default = column.get("default")
    return f"coalesce(r.{column['name']}, {default})" if default else f"r.{column['name']}"


def _replacement(schema: sa.Inspector, table: str) -> str:
    """Where the stored version is not the one that was read, `version` becomes NULL, which the column refuses."""
    follows = f"CASE WHEN {table}.version + 1 = excluded.version THEN excluded.version END"
    names = (column["name"] for column in schema.get_columns(table))
    return ", ".join(
        f"{name} = {follows if name == 'version' else f'excluded.{name}'}"
        for name in names
        if name not in CARRIED_OVER[table]
    )
