"""What the manual says of PostgreSQL's files: where an erased address stays legible, and what puts an end to it."""

import re
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from app.api_keys import Scope
from tests.commands import ROOT
from tests.postgresql import Cluster
from tests.service import Service

QUAGGA = "quagga-7731-zonkey@example.org"
REMEDY = re.search(
    r"### What PostgreSQL keeps on its disk.*?```sql\n(.*?)```",
    (ROOT / "docs/privacy.md").read_text(encoding="utf-8"),
    re.DOTALL,
)


@pytest.fixture
def console(cluster: Cluster, database_url: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield connection


def legible(cluster: Cluster, console: psycopg.Connection) -> list[Path]:
    """Files of the database, but for the write-ahead log, in which the address stands."""
    console.execute("CHECKPOINT")
    (oid,) = console.execute("SELECT oid FROM pg_database WHERE datname = current_database()").fetchone() or (0,)
    folder = cluster.folder / "data" / "base" / str(oid)
    return [path for path in folder.iterdir() if QUAGGA.encode() in path.read_bytes()]


@pytest.mark.parametrize("engine", ["postgresql"])
def test_an_erased_address_is_legible_until_what_the_manual_says_is_run(
    service: Service, cluster: Cluster, console: psycopg.Connection
) -> None:
    assert REMEDY, "the manual names no remedy"
    for name in ("ada", "bea", "grace"):
        service.confirmed(f"{name}@example.org")
    service.confirmed(QUAGGA)
    console.execute("ANALYZE")
    key = service.key(Scope.SUBSCRIBERS_WRITE)
    assert service.app.test_client().delete(f"/api/v1/subscribers/{QUAGGA}", headers=key).status_code == 204
    console.execute("VACUUM")
    assert len(legible(cluster, console)) >= 3, "a table, an index, the planner's notes"
    for statement in filter(str.strip, REMEDY[1].split(";")):
        console.execute(statement.encode())
    assert legible(cluster, console) == []
    assert service.status("ada@example.org")
