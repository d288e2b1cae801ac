"""The function of PostgreSQL that writes a signup: made from the columns that the tables have, and so to be replaced by
every migration that adds one to them.

A version that runs while the schema is already newer hands over rows without the new columns. So each column is named,
and one that has a default takes it where the row says nothing.
"""

import sqlalchemy as sa
from sqlalchemy.engine.interfaces import ReflectedColumn

CARRIED_OVER = {"mail_budgets": ("digest", "linked_at"), "subscriptions": ("id", "subscriber_id", "newsletter")}
"""What a row that exists already keeps."""


_JOIN = """
    SELECT * INTO joining FROM json_populate_recordset(NULL::letters, the_letters::json);
    UPDATE letters SET
        about = (letters.about::jsonb || joining.about::jsonb)::json,
        attempt = coalesce(letters.attempt, joining.attempt),
        asked_from = CASE WHEN letters.asked_from = joining.asked_from THEN letters.asked_from END,
        state = CASE WHEN letters.state IN ('queued', 'deferred') AND letters.lease IS NULL AND letters.unanswered = 0
            THEN letters.state END
    WHERE letters.id = joining.id;
"""
"""Adds to a letter that exists, which a row with a lease stands for. Where it has left or is being sent, `state`
becomes NULL, which the column refuses.

By the id in a variable: PostgreSQL takes a set made from JSON for a hundred rows, and may scan the table for them.
"""

WRITTEN_OR_UNDONE = ("subscribers", "letters", "subscriptions", "consent_events")
"""In the order in which they are written."""


def replace(connection: sa.Connection) -> None:
    """Idempotent. On SQLite there is none."""
    if connection.dialect.name == "sqlite":
        return
    connection.exec_driver_sql(_function(sa.inspect(connection)).replace("%", "%%"))


def _function(schema: sa.Inspector) -> str:
    handed = [f"{prefix}_{table} text" for prefix in ("the", "undone") for table in WRITTEN_OR_UNDONE]
    return f"""
        CREATE OR REPLACE FUNCTION record_signup(the_mail_budgets text, {", ".join(handed)})
        RETURNS void LANGUAGE plpgsql AS $$
        DECLARE
            is_joined boolean := false;
            joining letters;
        BEGIN
            {_upsert(schema, "the", "mail_budgets", "digest")};
            {_writes(schema, "the")}
            BEGIN
                {_writes(schema, "undone")}
                RAISE SQLSTATE 'JW001';
            EXCEPTION WHEN SQLSTATE 'JW001' THEN
                NULL;
            END;
        END $$
    """


def _writes(schema: sa.Inspector, prefix: str) -> str:
    """A statement a table, and none for nothing: inline, for a call costs what one of them does."""
    inserts = {table: f"{_insert(schema, prefix, table)};" for table in WRITTEN_OR_UNDONE}
    inserts["subscriptions"] = f"{_upsert(schema, prefix, 'subscriptions', 'subscriber_id, newsletter')};"
    if prefix == "the":
        inserts["letters"] = f"{_insert(schema, prefix, 'letters')} WHERE r.lease IS NULL; is_joined := NOT FOUND;"
        # Behind the subscriptions, in the order of row locks.
        inserts["subscriptions"] += f" IF is_joined THEN {_JOIN} END IF;"
    return " ".join(f"IF {prefix}_{table} <> '[]' THEN {insert} END IF;" for table, insert in inserts.items())


def _upsert(schema: sa.Inspector, prefix: str, table: str, key: str) -> str:
    insert = _insert(schema, prefix, table)
    return f"{insert} ON CONFLICT ({key}) DO UPDATE SET {_replacement(schema, table)}"


def _insert(schema: sa.Inspector, prefix: str, table: str) -> str:
    columns = schema.get_columns(table)
    names = ", ".join(column["name"] for column in columns)
    values = ", ".join(_value(column) for column in columns)
    rows = f"json_populate_recordset(NULL::{table}, {prefix}_{table}::json)"
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
