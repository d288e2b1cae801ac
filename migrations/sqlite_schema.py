"""Changes of a table of SQLite where its schema is written down, by the procedure that SQLite describes for those that
leave stored rows as they are (lang_altertable.html).

For `consent_events`: to make the table anew is no way, because log entries refer to its rows.
"""

import sqlalchemy as sa


def replace(connection: sa.Connection, table: str, before: str, after: str) -> None:
    """Replace a piece of the table's CREATE statement, which has to be there."""
    version = connection.exec_driver_sql("PRAGMA schema_version").scalar_one()
    connection.exec_driver_sql("PRAGMA writable_schema=ON")
    changed = connection.exec_driver_sql(
        "UPDATE sqlite_master SET sql = replace(sql, ?, ?) WHERE type = 'table' AND name = ? AND instr(sql, ?)",
        (before, after, table, before),
    )
    assert changed.rowcount == 1
    # Every connection, this one too, reads the schema anew where it finds another number.
    connection.exec_driver_sql(f"PRAGMA schema_version={version + 1}")
    connection.exec_driver_sql("PRAGMA writable_schema=OFF")
