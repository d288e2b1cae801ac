"""The two roles of the manual, made by its very SQL: one owns and migrates, one serves and can do no more."""

import re
from collections.abc import Iterator
from datetime import timedelta

import psycopg
import pytest
import time_machine

from app import database as databases
from app.api_keys import Scope
from app.database import schema
from tests import clocks
from tests.commands import ROOT, Jawel
from tests.postgresql import Cluster
from tests.reports import COMPLAINT, id_of, take
from tests.service import ADA, Service

SECTION = re.search(
    r"\n## Database roles\n(.*?)\n## ", (ROOT / "docs/operations.md").read_text(encoding="utf-8"), re.DOTALL
)
BLOCKS = re.findall(r"```sql\n(.*?)```", SECTION[1] if SECTION else "", re.DOTALL)


def run(url: str, block: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in filter(str.strip, block.split(";")):
            connection.execute(statement.encode())


def as_role(cluster: Cluster, role: str) -> str:
    return f"postgresql://{role}@/jawel?host={cluster.folder}"


@pytest.fixture
def database_url(cluster: Cluster) -> Iterator[str]:
    """Of the role that serves."""
    assert len(BLOCKS) == 3, "the manual says how roles are made, what each may, and what is run after a migration"
    roles, schema_rights, table_rights = BLOCKS
    run(cluster.url("postgres"), roles)
    try:
        run(cluster.url("jawel"), schema_rights)
        owner = databases.connect(as_role(cluster, "jawel_owner"))
        schema.migrate(owner)
        owner.dispose()
        for _ in range(2):
            run(as_role(cluster, "jawel_owner"), table_rights)
        yield as_role(cluster, "jawel_app")
    finally:
        run(cluster.url("postgres"), "DROP DATABASE jawel WITH (FORCE); DROP ROLE jawel_app; DROP ROLE jawel_owner")


def test_all_that_the_service_does_goes_by_the_role_that_serves(
    cluster: Cluster, service: Service, jawel: Jawel
) -> None:
    with time_machine.travel("2026-11-23 20:00:00+00:00", tick=True) as clock:
        letter = service.confirmed(newsletters=["weekly", "events"])
        service.subscribe("declining@example.org")
        assert service.post(f"{service.letter().link}/decline").status_code == 200
        service.subscribe("never@example.org")
        service.work()
        assert service.post(letter.one_click).status_code == 200
        service.work()
        complaining = service.confirmed("complaining@example.org")
        take(service, COMPLAINT, letter_id=id_of(complaining))
        assert jawel("suppressions", "lift", "complaining@example.org", "--why", "they asked", "--yes").exit_code == 0
        for _ in range(3):
            clock.shift(timedelta(days=40))
            service.work()
        key = service.key(Scope.SUBSCRIBERS_WRITE)
        assert service.app.test_client().delete(f"/api/v1/subscribers/{ADA}", headers=key).status_code == 204
        service.work()
        assert service.status() is None
        assert "Clean" in jawel("ledger", "audit").stdout
        clocks.move_databases_clock_along(cluster.url("jawel"))
        purged = jawel("privacy", "purge")
        assert purged.exit_code == 0, purged.output
        doctor = jawel("doctor")
        assert doctor.exit_code == 0, doctor.output
    assert "database: postgresql, jawel on " in doctor.stdout
    assert jawel("migrate").exit_code == 0, "there is nothing to do"


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE consent_events SET type = 'subscription.confirmed'",
        "DELETE FROM consent_events",
        "TRUNCATE consent_events",
        "ALTER TABLE consent_events DISABLE TRIGGER ALL",
        "SET session_replication_role = replica",
        "UPDATE log_entries SET leaf = leaf",
        "DELETE FROM tree_nodes",
        "DELETE FROM checkpoints",
        "UPDATE log_keys SET since_size = 0",
        "DELETE FROM anchors",
        "UPDATE wordings SET text = 'No.'",
        "UPDATE alembic_version SET version_num = '0001'",
        "DROP TABLE subscribers",
        "CREATE TABLE mine (id int)",
        "CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE sql AS ''",
    ],
)
def test_what_is_on_record_is_out_of_its_reach(database_url: str, statement: str) -> None:
    with psycopg.connect(database_url) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(statement.encode())
