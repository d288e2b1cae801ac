"""Logs on a full disk, or to a pipe that nobody reads any more: nobody fails for want of a line."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import HTTPError

import pytest
from sqlalchemy import text

from app import logs, metrics_counters, worker
from tests.commands import ROOT, Jawel, Running, eventually, serving
from tests.engines import on_sqlite
from tests.figures import figure
from tests.service import Service

LOGGED = """
import logging, resource, sys
import structlog
import config
from app import logs
logs.make_streams_safe()
logs.configure(config.load())
_, most = resource.getrlimit(resource.RLIMIT_FSIZE)
structlog.get_logger().info("before.fault")
resource.setrlimit(resource.RLIMIT_FSIZE, (120, most))
structlog.get_logger().info("from.structlog")
logging.getLogger("of.another.library").error("from logging")
logging.getLogger("waitress").warning("from a server")
print("from print")
sys.stderr.write("from a thread that ended by an error\\n")
resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
structlog.get_logger().info("after.fault")
structlog.get_logger().info("ever.after")
"""
"""A file that may not grow refuses what is written as a disk without room does: in the midst of a line."""


@contextmanager
def outlet(kind: str) -> Iterator[int]:
    if kind == "full disk":
        descriptor = os.open("/dev/full", os.O_WRONLY)
    else:
        nobody, descriptor = os.pipe()
        os.close(nobody)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def status(running: Running, email: str) -> int:
    try:
        return running.post("/subscribe", {"email": email, "newsletters": "weekly", "consent": True})
    except HTTPError as error:
        return error.code


def workers(running: Running) -> list[str]:
    """The processes of `running` that are workers."""
    pid = running.process.pid
    children = "".join(path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/children")).split()
    return [each for each in children if "worker" in Path(f"/proc/{each}/cmdline").read_text().split("\0")]


@on_sqlite
@pytest.mark.parametrize("kind", ["full disk", "closed pipe"])
def test_where_no_line_can_be_written_signups_and_letters_go_on(service: Service, jawel: Jawel, kind: str) -> None:
    people = [f"reader{number}@example.org" for number in range(3)]
    with outlet(kind) as descriptor, serving(jawel, stdout=descriptor, stderr=descriptor) as running:
        eventually(lambda: workers(running))
        at_first = workers(running)
        assert [status(running, each) for each in people] == [202] * 3
        eventually(lambda: len(service.mail.letters) >= 3)
        with service.database.transaction() as session:
            session.execute(text("ALTER TABLE mail_budgets RENAME TO elsewhere"))
        assert status(running, "grace@example.org") == 503
        with service.database.transaction() as session:
            session.execute(text("ALTER TABLE elsewhere RENAME TO mail_budgets"))
        assert status(running, "grace@example.org") == 202
        eventually(lambda: len(service.mail.letters) >= 4)
        # Of those that were sent, and of the request that met a fault.
        eventually(lambda: figure(service, "log_lines_dropped_total") >= 5)
        assert workers(running) == at_first
        running.process.send_signal(signal.SIGTERM)
        assert running.process.wait(timeout=120) == 0
    assert sorted(each.recipient for each in service.mail.letters) == sorted([*people, "grace@example.org"])
    worker.run_once(service.app)
    assert len(service.mail.letters) == 4


@on_sqlite
@pytest.mark.parametrize("kind", ["full disk", "closed pipe"])
def test_a_worker_that_cannot_log_ends_as_if_it_could(service: Service, jawel: Jawel, kind: str) -> None:
    service.subscribe()
    with (
        outlet(kind) as descriptor,
        jawel.started("worker", "--once", stdout=descriptor, stderr=subprocess.PIPE) as process,
    ):
        assert process.communicate()[1] == ""
    assert process.returncode == 0
    assert len(service.mail.letters) == 1


@on_sqlite
def test_once_lines_can_be_written_again_one_tells_how_many_were_dropped(
    service: Service, jawel: Jawel, tmp_path: Path
) -> None:
    environment = {**os.environ, **jawel.environment, "PYTHONPATH": str(ROOT)}
    with (tmp_path / "log").open("wb") as log:
        subprocess.run(
            [sys.executable, "-c", LOGGED], env=environment, cwd=tmp_path, stdout=log, stderr=log, check=True
        )
    first, torn, *others = (tmp_path / "log").read_text().splitlines()
    assert json.loads(first)["event"] == "before.fault"
    assert "from.structlog" in torn
    told = [json.loads(each) for each in others]
    # Standard output and standard error each tell of their own.
    assert [(each["event"], each.get("count")) for each in told] == [
        ("log.lines_dropped", 2),
        ("after.fault", None),
        ("ever.after", None),
    ]


@on_sqlite
def test_a_process_without_any_output_works_all_the_same(service: Service, jawel: Jawel) -> None:
    service.subscribe()
    command = f'exec "{sys.executable}" -m app worker --once >&- 2>&-'
    environment = {**os.environ, **jawel.environment}
    process = subprocess.run(["/bin/sh", "-c", command], env=environment, cwd=ROOT, check=False)
    assert process.returncode == 0
    assert len(service.mail.letters) == 1


@on_sqlite
@pytest.mark.parametrize("kind", ["full disk", "closed pipe"])
def test_a_command_that_is_run_for_its_output_fails_where_that_is_lost(
    service: Service, jawel: Jawel, kind: str
) -> None:
    with outlet(kind) as descriptor:
        for command in (("keys", "create", "shop", "--scope", "admin"), ("secrets",), ("doctor",)):
            with jawel.started(*command, stdout=descriptor, stderr=subprocess.DEVNULL) as process:
                assert process.wait(timeout=120) != 0, command
    assert service.rows("SELECT * FROM api_keys") == [], "no key is in force that nobody has seen"


def test_what_cannot_be_told_yet_is_told_later(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "TELL_EVERY_SECONDS", 0.01)
    with service.database.transaction() as session:
        session.execute(text("ALTER TABLE counters RENAME TO elsewhere"))
    logs._dropped.add(7)
    with service.database.transaction() as session:
        session.execute(text("ALTER TABLE elsewhere RENAME TO counters"))
    logs._dropped.add(1)

    def told() -> int:
        with service.database.read_only() as connection:
            return sum(metrics_counters.read(connection, [logs.LINES_DROPPED])[logs.LINES_DROPPED].values())

    eventually(lambda: told() == 8)
