"""`jawel migrate` while others are at the tables: it gives up in time, and says who they are."""

import re
import sqlite3
from contextlib import closing

import psycopg
import pytest
from alembic import command

from app import database as databases
from app.database import schema, sqlite
from tests.commands import Jawel

BEFORE = "0013"


@pytest.fixture
def outdated_url(empty_database_url: str) -> str:
    """The address of a database that waits for a migration."""
    opened = databases.connect(empty_database_url)
    with opened.transaction() as session:
        command.upgrade(schema.alembic_config(session.connection()), BEFORE)
    opened.dispose()
    return empty_database_url


@pytest.mark.parametrize("engine", ["postgresql"])
def test_it_names_who_holds_the_lock_and_what_to_do_and_not_what_they_asked(jawel: Jawel, outdated_url: str) -> None:
    with psycopg.connect(outdated_url, application_name="nightly-report") as other:
        tables = [row[0] for row in other.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]
        others = ", ".join(table for table in tables if table != "alembic_version")
        other.execute(f"LOCK TABLE {others} IN ACCESS SHARE MODE".encode())
        other.execute("SELECT 'ada@example.org'")
        said = jawel("migrate", DATABASE_URL=outdated_url)
        pid = other.info.backend_pid
    assert said.exit_code == 1
    named = rf"pid {pid}: nightly-report, as postgres, idle in transaction, in a transaction since \d{{4}}-[\d: -]+ UTC"
    assert re.search(named, said.stderr), said.stderr
    assert f"SELECT pg_terminate_backend({pid})" in said.stderr
    assert "run `jawel migrate` again" in said.stderr
    assert "first" not in said.stderr
    assert "ada@example.org" not in said.output
    assert f"Migrated the schema from {BEFORE}" in jawel("migrate", DATABASE_URL=outdated_url).stdout


@pytest.mark.parametrize("engine", ["postgresql"])
def test_of_whom_its_role_may_not_know_it_says_so(jawel: Jawel, outdated_url: str) -> None:
    with psycopg.connect(outdated_url, application_name="nightly-report") as other:
        name = other.info.dbname
        for statement in ("CREATE ROLE jawel_migrates LOGIN", f"ALTER DATABASE {name} OWNER TO jawel_migrates"):
            other.execute(statement.encode())
        rows = other.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        for (table,) in rows:
            other.execute(f"ALTER TABLE {table} OWNER TO jawel_migrates".encode())
        other.execute("GRANT ALL ON SCHEMA public TO jawel_migrates")
        other.commit()
        try:
            others = ", ".join(table for (table,) in rows if table != "alembic_version")
            other.execute(f"LOCK TABLE {others} IN ACCESS SHARE MODE".encode())
            url = outdated_url.replace("postgres@", "jawel_migrates@")
            said = jawel("migrate", DATABASE_URL=url)
            named = f"pid {other.info.backend_pid}: nightly-report, as postgres (its state is hidden from this role)"
            assert named in said.stderr
        finally:
            other.rollback()
            other.execute("REASSIGN OWNED BY jawel_migrates TO postgres")
            other.execute("DROP OWNED BY jawel_migrates")
            other.execute("DROP ROLE jawel_migrates")


@pytest.mark.parametrize("engine", ["sqlite"])
def test_on_sqlite_it_says_that_another_process_writes(
    jawel: Jawel, outdated_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "PRAGMAS", ("busy_timeout=100", *sqlite.PRAGMAS[1:]))
    with closing(sqlite3.connect(outdated_url.removeprefix("sqlite:///"), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        said = jawel("migrate", DATABASE_URL=outdated_url)
    assert said.exit_code == 1
    assert "another process has been writing" in said.stderr
    assert "first" not in said.stderr
    assert f"Migrated the schema from {BEFORE}" in jawel("migrate", DATABASE_URL=outdated_url).stdout
