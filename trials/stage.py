"""What trials are played on: the service as a deployment starts it, a mail server that keeps all, people over HTTP."""

import http.client
import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

import config
from app import database as databases
from app.database import schema
from app.newsletters import apply
from tests import machine
from tests.commands import VARIABLES, Jawel
from tests.postgresql import running_cluster

ORIGIN = "https://subscribe.example.org"
PATIENCE_SECONDS = 30
AWAY = 0
"""In the place of a status: nobody answered."""
CATALOGUE: dict[str, Any] = {
    "controller": {
        "name": "Voorbeeld BV",
        "address": "Kerkstraat 1, 9000 Gent, Belgium",
        "email": "privacy@example.org",
        "url": "https://example.org",
        "jurisdiction": "BE",
        "authority": "Gegevensbeschermingsautoriteit",
    },
    "newsletter": [
        {
            "slug": "weekly",
            "sender": "Voorbeeld <news@example.org>",
            "languages": ["en"],
            "frequency": "weekly",
            # Nobody here can tell a trial from an attack.
            "proof_of_work": "never",
            "title": {"en": "Weekly letter"},
            "purpose": {"en": "One mail a week with news about our books."},
            "consent": {"en": "Yes, send me the weekly letter by e-mail."},
        }
    ],
}


def postgresql() -> Path:
    """The folder of the server's programs, installed where they may be. Raises ClickException."""
    programs = machine.find_or_install(machine.POSTGRESQL)
    if programs is None:
        raise click.ClickException("There is no PostgreSQL server here: `apt-get install postgresql`.")
    return programs


def environment(database_url: str, smtp_port: int) -> dict[str, str]:
    return {
        **config.fresh_secrets(),
        "JAWEL_ENV": "production",
        "PUBLIC_URL": ORIGIN,
        "DATABASE_URL": database_url,
        "MAIL_SERVER": "127.0.0.1",
        "MAIL_PORT": str(smtp_port),
        "TRUSTED_PROXIES": "1",
        "RATE_LIMIT_SUBSCRIBE": "1000000",
        "RATE_LIMIT_FORM": "1000000",
    }


def furnish(database_url: str) -> None:
    """A database with the newest schema and one newsletter."""
    opened = databases.connect(database_url)
    schema.migrate(opened)
    with opened.transaction() as session:
        apply.apply(session, CATALOGUE)
    opened.dispose()


@contextmanager
def furnished(engine: str, folder: Path) -> Iterator[str]:
    """The URL of such a database: a file in the folder, or one of a server that is there for the block."""
    with ExitStack() as stack:
        url = f"sqlite:///{folder / 'jawel.sqlite'}"
        if engine == "postgresql":
            cluster = stack.enter_context(running_cluster(postgresql()))
            url = cluster.url(stack.enter_context(cluster.new_database()))
        furnish(url)
        yield url


@dataclass
class Kept:
    """A process that a service manager keeps: started again when it dies, and nothing left of it in between."""

    jawel: Jawel
    arguments: tuple[str, ...]
    starts: int = 0
    process: "subprocess.Popen[bytes] | None" = None
    _stop: threading.Event = field(default_factory=threading.Event)

    def start(self) -> None:
        inherited = {name: value for name, value in os.environ.items() if name not in VARIABLES}
        with (self.jawel.folder / f"{self.arguments[0]}.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "app", *self.arguments],
                cwd=self.jawel.folder,
                env={**inherited, **self.jawel.environment},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.starts += 1

    def watch(self) -> None:
        while not self._stop.wait(0.1):
            if self.process is None or self.process.poll() is not None:
                self._clear()
                self.start()
        self._clear()

    def stop(self) -> None:
        self._stop.set()

    def children(self) -> list[int]:
        """Of the process, while it lives."""
        assert self.process is not None
        with suppress(OSError):
            pid = self.process.pid
            # Those that each of its threads has started.
            threads = Path(f"/proc/{pid}/task").glob("*/children")
            return [int(child) for thread in threads for child in thread.read_text().split()]
        return []

    def _clear(self) -> None:
        if self.process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


@contextmanager
def kept(jawel: Jawel, *arguments: str) -> Iterator[Kept]:
    with keeping(Kept(jawel, arguments)) as managed:
        yield managed


@contextmanager
def keeping(managed: Kept) -> Iterator[Kept]:
    managed.start()
    manager = threading.Thread(target=managed.watch)
    manager.start()
    try:
        yield managed
    finally:
        managed.stop()
        manager.join()


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes = b""
    retry_after: str | None = None


def ask(port: int, method: str, path: str, **sent: Any) -> Answer:
    """`fields` go as JSON; `headers` beside. Each request comes from a client of its own, as signups do."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_SECONDS)
    client = ".".join(str(random.randrange(1, 255)) for _ in range(4))
    headers = {"X-Forwarded-For": client, "Content-Type": "application/json", **sent.get("headers", {})}
    try:
        connection.request(method, path, json.dumps(sent.get("fields", {})), headers)
        answer = connection.getresponse()
        return Answer(answer.status, answer.read(), answer.getheader("Retry-After"))
    except (OSError, http.client.HTTPException):
        return Answer(AWAY)
    finally:
        connection.close()


def sign_up(port: int, email: str) -> Answer:
    return ask(port, "POST", "/subscribe", fields={"email": email, "newsletters": "weekly", "consent": True})


def await_answer(port: int, path: str = "/readyz", wanted: int = 200) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while ask(port, "GET", path).status != wanted:
        if time.monotonic() > deadline:
            raise SystemExit(f"No answer from {path}")
        time.sleep(0.05)


def rows(database_url: str, statement: str) -> list[Any]:
    opened = databases.connect(database_url)
    try:
        with opened.read_only() as connection:
            return list(connection.exec_driver_sql(statement))
    finally:
        opened.dispose()


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
