"""What the doctor says: of a service in order, of what fails, and of what works and may not be as it should."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from app import database as databases
from app.mail.delivery import cleartext
from config import Environment, Settings
from tests.commands import ROOT, Jawel, findings
from tests.engines import on_sqlite
from tests.service import ADA, Service


@pytest.fixture
def no_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.fixture
def development(jawel: Jawel) -> Jawel:
    """A fresh checkout, with nothing in its folder yet."""
    home = {"JAWEL_ENV": "development", "PUBLIC_URL": "http://127.0.0.1:8000"}
    return Jawel(home, jawel.folder)


def run(jawel: Jawel, *arguments: str | Path) -> str:
    with jawel.started(*map(str, arguments)) as process:
        said = process.communicate()[0]
    assert process.returncode == 0, said
    return said


def test_it_says_which_database_it_looked_at(service: Service, jawel: Jawel, database_url: str) -> None:
    (line,) = [line for line in jawel("doctor").stdout.splitlines() if "database: " in line]
    if database_url.startswith("sqlite"):
        assert line == f"ok    database: sqlite, {database_url.removeprefix('sqlite:///')}"
    else:
        name, _, folder = database_url.rpartition("/jawel_")[2].partition("?host=")
        assert line == f"ok    database: postgresql, jawel_{name} on {folder}"


@on_sqlite
def test_it_says_so_too_where_that_one_does_not_answer_and_keeps_user_and_password(jawel: Jawel) -> None:
    url = "postgresql://sesame:open-sesame@127.0.0.1:1,localhost:2/newsletters"
    said = jawel("doctor", DATABASE_URL=url).output
    assert "fail  database: postgresql, newsletters on 127.0.0.1:1, localhost:2: the database does not answer" in said
    assert "sesame" not in said


@on_sqlite
@pytest.mark.usefixtures("no_umask")
def test_nobody_else_reads_what_it_makes_whatever_the_umask(development: Jawel) -> None:
    run(development, "migrate")
    run(development, "newsletters", "apply", ROOT / "newsletters.example.toml")
    instance = development.folder / "instance"
    opened = databases.connect(f"sqlite:///{instance / 'jawel.sqlite'}")
    with opened.read_only() as connection:
        connection.exec_driver_sql("SELECT count(*) FROM newsletters")
        _sign_up(development)
        run(development, "worker", "--once")
        made = {path.name: path for path in instance.rglob("*")}
        assert {"jawel.sqlite", "jawel.sqlite-wal", "jawel.sqlite-shm", "secrets.json", "mailbox"} <= set(made)
        assert any(name.endswith(".eml") for name in made)
        assert {name for name, path in made.items() if path.stat().st_mode & 0o077} == set()
    opened.dispose()
    assert instance.stat().st_mode & 0o077 == 0
    assert "ok    file permissions: " in development("doctor").stdout


def _sign_up(development: Jawel) -> None:
    """By the application itself, on the files of the checkout."""
    script = (
        "import config; from app.web.application import create_app; client = create_app(config.load()).test_client();"
        f"sent = {{'email': '{ADA}', 'newsletters': 'weekly', 'consent': True}};"
        "assert client.post('/subscribe', json=sent).status_code == 202"
    )
    environment = {**os.environ, **development.environment, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", script], cwd=development.folder, env=environment, check=True)


@on_sqlite
def test_a_database_that_others_can_read_is_told_with_the_remedy(service: Service, jawel: Jawel) -> None:
    path = Path(jawel.environment["DATABASE_URL"].removeprefix("sqlite:///"))
    path.chmod(0o644)
    result = jawel("doctor")
    assert result.exit_code == 0, "it works"
    assert findings(result)["file permissions"] == "warn"
    remedy = result.stdout.partition("run `")[2].partition("`")[0]
    assert str(path) in remedy
    subprocess.run(["/bin/sh", "-c", remedy], check=True)
    assert path.stat().st_mode & 0o777 == 0o600
    assert findings(jawel("doctor"))["file permissions"] == "ok"


HOSTS = {
    "127.0.0.1": False,
    "::1": False,
    "localhost": False,
    "10.1.2.3": False,
    "172.16.0.25": False,
    "192.168.7.7": False,
    "fd12:3456::25": False,
    "::ffff:10.0.0.1": False,
    "8.8.8.8": True,
    "172.32.0.1": True,
    "2001:4860:4860::8888": True,
    "::ffff:8.8.8.8": True,
    "mail.invalid": True,
}
"""Whether plain SMTP to it crosses networks of others. A name that does not resolve may lead anywhere."""


@on_sqlite
@pytest.mark.parametrize("host", HOSTS)
def test_mail_in_the_clear_stays_within_ones_own_network(settings: Settings, host: str) -> None:
    assert settings.mail_server
    plain = replace(settings, mail_server=replace(settings.mail_server, host=host))
    assert cleartext.is_exposed(plain) is HOSTS[host]
    for tls in (True, False):
        server = replace(settings.mail_server, host=host, tls=tls, starttls=not tls)
        assert not cleartext.is_exposed(replace(settings, mail_server=server))
    assert not cleartext.is_exposed(replace(plain, environment=Environment.DEVELOPMENT))


@on_sqlite
def test_else_the_doctor_and_a_worker_warn_and_work_on(service: Service, jawel: Jawel) -> None:
    jawel.environment |= {"MAIL_SERVER": "mail.invalid", "MAIL_TIMEOUT": "1"}
    doctor = jawel("doctor")
    assert findings(doctor)["mail encryption"] == "warn"
    assert "set MAIL_USE_TLS or MAIL_USE_SSL" in doctor.stdout
    lines = [json.loads(line) for line in run(jawel, "worker", "--once").splitlines()]
    (warning,) = [line for line in lines if line["event"] == "mail_server.in_the_clear"]
    assert (warning["level"], warning["server"]) == ("warning", "mail.invalid")
    jawel.environment |= {"MAIL_USE_TLS": "true"}
    assert findings(jawel("doctor"))["mail encryption"] == "ok"
    assert "in_the_clear" not in run(jawel, "worker", "--once")


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
        "sender",
        "SPF",
        "DKIM",
        "DMARC",
        "relay",
        "keys",
        "log",
        "audit",
    ]
    silent = {"privacy notice": "warn"}  # The example leaves open who receives data.
    assert findings(result) == {**dict.fromkeys(things, "ok"), **silent}
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
