"""`jawel serve`: it delivers letters by itself, says why it cannot listen, and ends when it is told to."""

import os
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

from tests.commands import PATIENCE_SECONDS, ROOT, Jawel, answers, eventually, serving
from tests.engines import on_sqlite
from tests.service import ADA, Service


@pytest.fixture
def development(jawel: Jawel) -> Jawel:
    """A checkout with the built-in mailbox."""
    assert jawel("newsletters", "apply", ROOT / "newsletters.example.toml").exit_code == 0
    local = {"JAWEL_ENV": "development", "PUBLIC_URL": "http://127.0.0.1:8000", "MAIL_SERVER": ""}
    return Jawel({**jawel.environment, **local}, jawel.folder)


SIGNUP = {"email": ADA, "newsletters": "weekly", "consent": True}


def test_serve_delivers_letters_without_further_ado(development: Jawel) -> None:
    with serving(development) as running:
        assert running.post("/subscribe", SIGNUP) == 202
        eventually(lambda: list((development.folder / "instance" / "mailbox").glob("*.eml")))
        assert ADA in running.get("/mailbox")
        running.process.send_signal(signal.SIGTERM)
        said = running.process.communicate(timeout=PATIENCE_SECONDS)[0]
        assert running.process.returncode == 0
        assert processes_of(running.process) == []
    assert "Letters land in http://127.0.0.1:8000/mailbox" in said


@on_sqlite
def test_serve_can_leave_the_letters_to_others(development: Jawel) -> None:
    with serving(development, "--no-worker") as running:
        assert [line for line in processes_of(running.process) if "worker" in line.split("\0")] == []
    with serving(development) as running:
        eventually(lambda: [line for line in processes_of(running.process) if "worker" in line.split("\0")])


@on_sqlite
def test_ctrl_c_reaches_all_processes_and_all_end_without_a_word(development: Jawel) -> None:
    """As a terminal sends it. Those that answer are told by the one that looks after them, and by nobody else."""
    with serving(development) as running:
        for child in Path(f"/proc/{running.process.pid}/task/{running.process.pid}/children").read_text().split():
            if "serve" in Path(f"/proc/{child}/cmdline").read_text():
                os.kill(int(child), signal.SIGINT)
        time.sleep(0.3)
        assert answers(running)
        os.killpg(running.process.pid, signal.SIGINT)
        said = running.process.communicate(timeout=PATIENCE_SECONDS)[0]
    assert running.process.returncode == 0
    assert "Traceback" not in said
    assert "ignored" not in said


@on_sqlite
@pytest.mark.parametrize("port", ["0", "65536", "99999"])
def test_a_port_that_there_is_not_is_told_by_its_option(development: Jawel, port: str) -> None:
    refused = development("serve", "--port", port, "--no-worker")
    assert refused.exit_code == 2
    assert "'--port': " in refused.output
    assert "1<=x<=65535" in refused.output


def test_a_server_that_waits_for_the_migration_says_so(development: Jawel, empty_database_url: str) -> None:
    development.environment["DATABASE_URL"] = empty_database_url
    with serving(development, "--no-worker") as running:
        running.process.send_signal(signal.SIGTERM)
        said = running.process.communicate(timeout=PATIENCE_SECONDS)[0]
    assert "The schema is not the newest: until `jawel migrate` has run, all answers are 503." in said


@on_sqlite
def test_a_port_that_another_program_has_is_told_in_one_line(development: Jawel) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        refused = development("serve", "--port", str(port), "--no-worker")
    assert refused.exit_code == 1
    assert refused.output.startswith(f"Error: Cannot listen on 127.0.0.1:{port}: Address already in use; stop what has")
    assert refused.output.count("\n") == 1


@on_sqlite
def test_a_new_version_may_start_on_the_port_before_the_old_one_stops(development: Jawel) -> None:
    with (
        serving(development, "--no-worker") as running,
        development.started(
            "serve", "--port", str(running.port), "--share-port", "--processes", "1", "--no-worker"
        ) as newer,
    ):
        assert newer.stdout is not None
        assert "listens" in newer.stdout.readline()
        running.process.send_signal(signal.SIGTERM)
        assert running.process.wait(PATIENCE_SECONDS) == 0
        eventually(lambda: answers(running))


def test_serve_finishes_the_request_in_flight(development: Jawel) -> None:
    body = b'{"email":"ada@example.org","newsletters":"weekly","consent":true}'
    head = (
        "POST /subscribe HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nExpect: 100-continue\r\n\r\n"
    )
    with (
        serving(development, "--no-worker") as running,
        socket.create_connection(("127.0.0.1", running.port), timeout=PATIENCE_SECONDS) as client,
    ):
        client.sendall(head.encode())
        # The server says so when the application has begun to read.
        assert client.recv(1000).startswith(b"HTTP/1.1 100")
        running.process.send_signal(signal.SIGTERM)
        client.sendall(body)
        assert client.recv(1000).startswith(b"HTTP/1.1 202")
        assert running.process.wait(PATIENCE_SECONDS) == 0


def processes_of(process: "subprocess.Popen[str]") -> list[str]:
    """The command lines of what was started with it and still lives."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if os.getsid(int(folder.name)) == process.pid:
                found.append((folder / "cmdline").read_text())
        except (OSError, ValueError):
            continue
    return [line for line in found if line]


def test_in_production_there_is_no_mailbox(service: Service) -> None:
    for path in ("/mailbox", "/mailbox/00000000-0000-0000-0000-000000000000.eml"):
        assert service.get(path).status_code == 404
