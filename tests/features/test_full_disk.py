"""What `/readyz` and the doctor say of a database that takes no writes: its disk is full, or it refuses."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import event, text

from app import database as databases
from app.database import schema, write_check
from tests import machine
from tests.commands import Jawel, eventually, findings
from tests.disks import Disk, small_disk
from tests.engines import on_sqlite
from tests.features.conftest import OpenService
from tests.postgresql import mortal_server
from tests.refusing import refusing_writes
from tests.service import Service, everything


@pytest.fixture
def disk() -> Iterator[Disk]:
    with small_disk(250) as disk:
        yield disk


@pytest.fixture
def on_disk(request: pytest.FixtureRequest, disk: Disk, sqlite_template: Path) -> Iterator[str]:
    """The address of a database whose files are on `disk`."""
    if request.param == "sqlite":
        yield f"sqlite:///{shutil.copy(sqlite_template, disk.folder / 'jawel.sqlite')}"
        return
    with mortal_server(machine.require(machine.POSTGRESQL), within=disk.folder) as server:
        server.execute("CREATE DATABASE jawel")
        opened = databases.connect(server.url("jawel"))
        schema.migrate(opened)
        opened.dispose()
        yield server.url("jawel")


def is_ready(service: Service) -> bool:
    return service.get("/readyz").status_code == 200


@on_sqlite
@pytest.mark.parametrize("on_disk", ["sqlite", "postgresql"], indirect=True)
def test_a_full_disk_is_told_by_readyz_and_the_doctor(
    open_service: OpenService, jawel: Jawel, disk: Disk, on_disk: str
) -> None:
    service = open_service(database_url=on_disk)
    assert is_ready(service)
    assert findings(jawel("doctor", DATABASE_URL=on_disk))["writing"] == "ok"
    before = everything(service)
    disk.fill()
    eventually(lambda: not is_ready(service))
    answer = service.get("/readyz")
    assert (answer.status_code, answer.json) == (
        503,
        {"status": "unavailable", "database": "takes no writes: its disk is full"},
    )
    assert service.get("/healthz").status_code == 200
    doctor = jawel("doctor", DATABASE_URL=on_disk)
    assert doctor.exit_code == 1
    assert "fail  writing: the database takes no writes: its disk is full" in doctor.stdout
    disk.free()
    eventually(lambda: is_ready(service))
    assert everything(service) == before
    assert service.subscribe().status_code == 202


@on_sqlite
def test_no_session_is_left_waiting_for_a_standby_that_is_gone(
    open_service: OpenService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(write_check, "FRESH_FOR_SECONDS", 0.0)
    with mortal_server(machine.require(machine.POSTGRESQL)) as server:
        server.execute("CREATE DATABASE jawel")
        opened = databases.connect(server.url("jawel"))
        schema.migrate(opened)
        opened.dispose()
        service = open_service(database_url=server.url("jawel"))
        server.execute("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
        server.execute("SELECT pg_reload_conf()")
        eventually(lambda: server.execute("SHOW synchronous_standby_names") == [("nobody",)])
        assert [service.get("/readyz").status_code for _ in range(3)] == [200] * 3
        assert server.execute("SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep'") == []


def test_a_database_that_refuses_to_write_takes_no_traffic(service: Service) -> None:
    with refusing_writes(service):
        answer = service.get("/readyz")
        assert (answer.status_code, answer.json["database"]) == (503, "takes no writes: it is read-only")
    eventually(lambda: is_ready(service))


@pytest.mark.parametrize("engine", ["postgresql"])
def test_a_role_without_the_right_to_write_is_told_what_it_lacks(service: Service, database_url: str) -> None:
    with service.database.writer.begin() as connection:
        connection.execute(text("CREATE ROLE jawel_reads LOGIN"))
        connection.execute(text("GRANT SELECT ON ALL TABLES IN SCHEMA public TO jawel_reads"))
    try:
        other = databases.connect(database_url.replace("postgres@", "jawel_reads@"))
        with pytest.raises(write_check.NotWritable, match="Database roles"):
            write_check.attempt(other)
        other.dispose()
    finally:
        with service.database.writer.begin() as connection:
            connection.execute(text("DROP OWNED BY jawel_reads"))
            connection.execute(text("DROP ROLE jawel_reads"))


def test_however_many_ask_it_is_tried_once_and_leaves_nothing(
    service: Service, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(write_check, "FRESH_FOR_SECONDS", 3600.0)
    begun: list[object] = []
    event.listen(service.database.writer, "begin", begun.append)
    before = everything(service)
    assert [service.get("/readyz").status_code for _ in range(50)] == [200] * 50
    tried = len(begun)
    assert 1 <= tried <= 2
    monkeypatch.setattr(write_check, "FRESH_FOR_SECONDS", 0.0)
    assert [service.get("/readyz").status_code for _ in range(50)] == [200] * 50
    assert len(begun) == 51 * tried
    assert everything(service) == before
    if database_url.startswith("sqlite"):
        folder = Path(database_url.removeprefix("sqlite:///")).parent
        assert {name for name in os.listdir(folder) if "sqlite" not in name} <= {"instance"}
