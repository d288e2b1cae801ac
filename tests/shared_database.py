"""One PostgreSQL database for the tests of a process, emptied after each: to create one takes longer.

If a test has changed the schema, rights or settings, the next one gets a new database.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import psycopg

from tests.postgresql import Cluster

END_OTHERS = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
SYSTEM_CATALOGS = (
    "pg_attribute",
    "pg_constraint",
    "pg_db_role_setting",
    "pg_index",
    "pg_namespace",
    "pg_proc",
    "pg_trigger",
    "alembic_version",
)
# A row that was changed bears a new transaction, one that was dropped is not counted. What empties a table changes rows
# of pg_class, so there it is rights that are compared.
STATE = f"""
    SELECT {", ".join(f"(SELECT count(*) || ' ' || max(xmin::text::bigint) FROM {each})" for each in SYSTEM_CATALOGS)},
        (SELECT string_agg(oid || ' ' || relname || ' ' || coalesce(relacl::text, ''), ';' ORDER BY oid) FROM pg_class)
"""
USED = """
    SELECT string_agg(quote_ident(relname), ', ') AS used FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relname <> 'alembic_version'
    AND pg_relation_size(oid) > 0 HAVING count(*) > 0
"""


class SharedDatabase:
    """`lent` yields the name of a database that is as `template`, to one test at a time."""

    def __init__(self, cluster: Cluster, template: str) -> None:
        self._cluster, self._template = cluster, template
        self._database = ExitStack()
        self._name = ""
        self._state: tuple[Any, ...] | None = None

    @contextmanager
    def lent(self) -> Iterator[str]:
        if not self._name:
            self._begin()
        try:
            yield self._name
        finally:
            if not self._is_emptied():
                self.close()

    def close(self) -> None:
        self._database.close()
        self._name = ""

    def _begin(self) -> None:
        self._name = self._database.enter_context(self._cluster.new_database(self._template))
        with self._connect() as connection:
            self._state = connection.execute(STATE).fetchone()

    def _is_emptied(self) -> bool:
        try:
            with self._connect() as connection:
                connection.execute(END_OTHERS)
                if connection.execute(STATE).fetchone() != self._state:
                    return False
                for (used,) in connection.execute(USED):
                    # Triggers that keep evidence would refuse.
                    connection.execute("SET session_replication_role = replica")
                    connection.execute(f"TRUNCATE {used} RESTART IDENTITY CASCADE")
        except psycopg.Error:
            return False
        return True

    def _connect(self) -> psycopg.Connection:
        return psycopg.connect(self._cluster.url(self._name), autocommit=True)
