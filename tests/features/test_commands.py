"""The other commands: keys, secrets, doctor, and the two that run until they are told to stop."""

import asyncio
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import config
from app import api_keys
from app.api_keys import Scope
from tests.commands import ROOT, VARIABLES, Jawel, answers, eventually, findings, serving
from tests.engines import on_sqlite
from tests.service import ADA, Service
from tests.smtp import MailServer

IN_TIME_SECONDS = 120
"""Reached only by what hangs: a busy machine is no fault."""


def test_a_new_key_is_printed_alone_and_only_its_digest_is_kept(service: Service, jawel: Jawel) -> None:
    result = jawel("keys", "create", "shop", "--scope", "status:read", "--scope", "subscribers:write")
    key = result.stdout.removesuffix("\n")
    assert (result.exit_code, result.stderr) == (0, "")
    assert key.isprintable()
    assert service.get("/api/v1/subscribers/ada@example.org", headers=bearer(key)).status_code == 404
    (row,) = service.rows("SELECT * FROM api_keys")
    assert row.digest == api_keys.digest(key)
    assert key not in repr(row)
    assert key.removeprefix("jawel_") not in repr(row)


def test_a_revoked_key_is_turned_away_and_stays_listed(service: Service, jawel: Jawel) -> None:
    key = jawel("keys", "create", "shop", "--scope", "status:read").stdout.strip()
    other = jawel("keys", "create", "mailer", "--scope", "admin", "--newsletter", "weekly").stdout.strip()
    listed = [line.split("\t") for line in jawel("keys", "list").stdout.splitlines()]
    assert [(name, scopes, limits, state) for _id, name, scopes, limits, _since, state in listed] == [
        ("shop", "status:read", "all newsletters", "in force"),
        ("mailer", "admin", "weekly", "in force"),
    ]
    for _ in range(2):
        assert jawel("keys", "revoke", listed[0][0]).exit_code == 0
    answer = service.get(f"/api/v1/subscribers/{ADA}", headers=bearer(key))
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].lower().startswith("bearer")
    assert service.get(f"/api/v1/subscribers/{ADA}", headers=bearer(other)).status_code == 404
    assert "revoked" in jawel("keys", "list").stdout.splitlines()[0]
    assert key not in jawel("keys", "list").stdout


def test_a_key_sees_the_newsletters_it_was_made_for_and_no_others(service: Service, jawel: Jawel) -> None:
    service.confirmed(newsletters=["weekly", "events"])
    key = jawel("keys", "create", "shop", "--scope", "status:read", "--newsletter", "events").stdout.strip()
    answer = service.get(f"/api/v1/subscribers/{ADA}", headers=bearer(key))
    assert [each["newsletter"] for each in answer.json["subscriptions"]] == ["events"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("create", "shop"),
        ("create", "shop", "--scope", "everything"),
        ("create", "shop", "--scope", Scope.ADMIN, "--newsletter", "nowhere"),
        ("revoke", "not-an-id"),
        ("revoke", "00000000-0000-0000-0000-000000000000"),
    ],
)
def test_a_key_is_not_made_or_ended_by_mistake(service: Service, jawel: Jawel, arguments: tuple[str, ...]) -> None:
    result = jawel("keys", *arguments)
    assert result.exit_code != 0
    assert result.stdout == ""
    assert "Error: " in result.stderr
    assert service.rows("SELECT * FROM api_keys") == []


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def test_secrets_are_lines_that_settings_accept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    bare = Jawel({}, tmp_path)
    first, second = bare("secrets").stdout, bare("secrets").stdout
    assert [line.partition("=")[0] for line in first.splitlines()] == [
        "SECRET_KEYS",
        "SUPPRESSION_KEY",
        "LOG_SIGNING_KEY",
    ]
    assert not set(first.splitlines()) & set(second.splitlines())
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    told = "PUBLIC_URL=https://example.org", "MAIL_SERVER=mail.example.org", "DATABASE_URL=sqlite:////jawel.sqlite"
    for line in (*first.splitlines(), *told):
        monkeypatch.setenv(*line.split("=", 1))
    assert config.load(tmp_path).secret_keys[0] in first


def test_the_doctor_finds_nothing_wrong_with_a_service_in_order(service: Service, jawel: Jawel) -> None:
    result = jawel("doctor")
    assert result.exit_code == 0, result.output
    things = [
        "settings",
        "database",
        "writing",
        "schema",
        "catalogue",
        "clock",
        "mail",
        "mail encryption",
        "file permissions",
        "feedback",
        "keys",
        "log",
        "audit",
    ]
    assert findings(result) == dict.fromkeys(things, "ok")
    assert [value for name, value in jawel.environment.items() if "KEY" in name and value in result.output] == []
    assert service.database.writer.dialect.name in result.stdout


def test_the_doctor_finds_a_mail_server_that_is_down(service: Service, jawel: Jawel) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        result = jawel("doctor", MAIL_PORT=str(nobody.getsockname()[1]))
    assert result.exit_code == 1
    assert [thing for thing, state in findings(result).items() if state == "fail"] == ["mail"]


def test_the_doctor_finds_a_schema_that_is_not_current(jawel: Jawel, empty_database_url: str) -> None:
    result = jawel("doctor", DATABASE_URL=empty_database_url)
    assert result.exit_code == 1
    assert findings(result)["database"] == "ok"
    assert "fail  schema: not the newest; run `jawel migrate`" in result.stdout
    assert "does not answer" not in result.stdout


def test_the_doctor_finds_a_catalogue_that_is_empty(jawel: Jawel) -> None:
    result = jawel("doctor")
    assert result.exit_code == 1
    assert "fail  catalogue: no newsletter yet; run `jawel newsletters apply FILE`" in result.stdout


@on_sqlite
@pytest.mark.parametrize("url", ["sqlite:////nowhere/jawel.sqlite", "postgresql://jawel:open-sesame@127.0.0.1:1/jawel"])
def test_the_doctor_finds_a_database_that_is_away_and_keeps_its_password(jawel: Jawel, url: str) -> None:
    result = jawel("doctor", DATABASE_URL=url)
    assert result.exit_code == 1
    assert findings(result)["database"] == "fail"
    assert findings(result)["mail"] == "ok"
    assert "sesame" not in result.output
    assert jawel("migrate", DATABASE_URL=url).stderr.startswith("Error: The database does not answer")


@on_sqlite
def test_the_doctor_names_every_setting_that_is_wrong(jawel: Jawel) -> None:
    result = jawel("doctor", MAIL_PORT="sesame", SECRET_KEYS="open sesame")
    assert result.exit_code == 1
    assert "MAIL_PORT: " in result.stderr
    assert "SECRET_KEYS: " in result.stderr
    assert "sesame" not in result.output


@on_sqlite
def test_a_first_start_needs_no_folder_to_be_made(jawel: Jawel) -> None:
    jawel.environment |= {"JAWEL_ENV": "development", "PUBLIC_URL": "http://127.0.0.1:8000"}
    del jawel.environment["DATABASE_URL"]
    with jawel.started("migrate") as process:
        said = process.communicate()[0]
    assert process.returncode == 0, said
    assert (jawel.folder / "instance" / "jawel.sqlite").exists()


def test_worker_once_does_what_is_due_and_exits(service: Service, jawel: Jawel) -> None:
    service.subscribe()
    with jawel.started("worker", "--once") as process:
        said = process.communicate(timeout=IN_TIME_SECONDS)[0]
    assert process.returncode == 0
    assert [letter.recipient for letter in service.mail.letters] == [ADA]
    assert '"event": "letter.sent"' in said
    assert "example.org" not in said


class HesitantServer(MailServer):
    """It takes its time over a letter: until `go` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.reading = threading.Event()
        self.go = threading.Event()

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        self.reading.set()
        while not self.go.is_set():
            await asyncio.sleep(0.02)
        return await super().handle_DATA(server, session, envelope)


class TestWorkerTold:
    """What a worker does between SIGTERM and its end."""

    @pytest.fixture
    def mail_server(self) -> Iterator[HesitantServer]:
        server = HesitantServer()
        server.start()
        yield server
        server.go.set()
        server.stop()

    def test_it_finishes_the_letter_in_hand_and_gives_back_the_others(
        self, service: Service, jawel: Jawel, mail_server: HesitantServer
    ) -> None:
        for address in (ADA, "grace@example.org"):
            service.subscribe(address)
        with jawel.started("worker") as process:
            assert mail_server.reading.wait(IN_TIME_SECONDS)
            process.send_signal(signal.SIGTERM)
            mail_server.go.set()
            assert process.wait(IN_TIME_SECONDS) == 0
        assert len(mail_server.letters) == 1
        states = service.rows("SELECT state, lease, attempts FROM letters ORDER BY state")
        assert [tuple(row) for row in states] == [("queued", None, 0), ("sent", None, 1)]

    @on_sqlite
    def test_it_does_not_wait_for_a_mail_server_that_hangs(
        self, service: Service, jawel: Jawel, mail_server: HesitantServer
    ) -> None:
        jawel.environment["MAIL_TIMEOUT"] = "600"
        service.subscribe()
        with jawel.started("worker") as process:
            assert mail_server.reading.wait(IN_TIME_SECONDS)
            process.send_signal(signal.SIGTERM)
            assert process.wait(IN_TIME_SECONDS) == 0
        assert [row.state for row in service.rows("SELECT state FROM letters")] == ["queued"]


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
        said = running.process.communicate(timeout=IN_TIME_SECONDS)[0]
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
        said = running.process.communicate(timeout=IN_TIME_SECONDS)[0]
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
        said = running.process.communicate(timeout=IN_TIME_SECONDS)[0]
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
        assert running.process.wait(IN_TIME_SECONDS) == 0
        eventually(lambda: answers(running))


def test_serve_finishes_the_request_in_flight(development: Jawel) -> None:
    body = b'{"email":"ada@example.org","newsletters":"weekly","consent":true}'
    head = (
        "POST /subscribe HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nExpect: 100-continue\r\n\r\n"
    )
    with (
        serving(development, "--no-worker") as running,
        socket.create_connection(("127.0.0.1", running.port), timeout=IN_TIME_SECONDS) as client,
    ):
        client.sendall(head.encode())
        # The server says so when the application has begun to read.
        assert client.recv(1000).startswith(b"HTTP/1.1 100")
        running.process.send_signal(signal.SIGTERM)
        client.sendall(body)
        assert client.recv(1000).startswith(b"HTTP/1.1 202")
        assert running.process.wait(IN_TIME_SECONDS) == 0


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
