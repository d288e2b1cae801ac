"""The `jawel` command, as operators run it: within this process where that will do, else as one of its own."""

import base64
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from click.testing import CliRunner, Result

from app.cli import main
from config import Settings

PATIENCE_SECONDS = 120
"""Reached only by what hangs: a busy machine is no fault."""
ROOT = Path(__file__).parent.parent
VARIABLES = [
    line.removeprefix("# ").partition("=")[0]
    for line in (ROOT / ".env.example").read_text().splitlines()
    if "=" in line and " " not in line.removeprefix("# ").partition("=")[0]
]


def environment(settings: Settings) -> dict[str, str]:
    """Settings as an operator writes them."""
    server = settings.mail_server
    return {
        "JAWEL_ENV": settings.environment,
        "PUBLIC_URL": settings.public_url,
        "DATABASE_URL": settings.database_url,
        "SECRET_KEYS": ",".join(settings.secret_keys),
        "SUPPRESSION_KEY": settings.suppression_key,
        "LOG_SIGNING_KEY": ",".join(base64.b64encode(seed).decode() for seed in settings.log_signing_keys),
        "MAIL_SERVER": server.host if server else "",
        "MAIL_PORT": str(server.port if server else 25),
        "MAIL_CONNECTIONS": str(server.connections if server else 4),
        "MAIL_TIMEOUT": str(server.timeout if server else 10),
        "FEEDBACK_ADDRESS": settings.feedback.address or "",
    }


@dataclass
class Jawel:
    environment: dict[str, str]
    folder: Path
    """Where processes run: `instance` comes to be here."""

    def __call__(self, *arguments: str | Path, **variables: str) -> Result:
        """Run it to its end."""
        return self.fed(b"", *arguments, **variables)

    def fed(self, given: bytes, *arguments: str | Path, **variables: str) -> Result:
        """Run it to its end, with something on standard input."""
        nothing: Mapping[str, str | None] = dict.fromkeys(VARIABLES)
        settings = {**nothing, **self.environment, **variables}
        return CliRunner().invoke(main, [*map(str, arguments)], input=given, env=settings)

    @contextmanager
    def started(self, *arguments: str, **streams: Any) -> Iterator["subprocess.Popen[str]"]:
        """A process, read from unless `streams` lead elsewhere.

        Whatever is left of it and of its children when the block ends is killed.
        """
        inherited = {name: value for name, value in os.environ.items() if name not in VARIABLES}
        process = subprocess.Popen(
            [sys.executable, "-m", "app", *arguments],
            cwd=self.folder,
            env={**inherited, **self.environment},
            text=True,
            start_new_session=True,
            **{"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, **streams},
        )
        with process:
            try:
                yield process
            finally:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)


@dataclass
class Running:
    """`jawel serve`, answering."""

    process: "subprocess.Popen[str]"
    port: int

    def get(self, path: str) -> str:
        with urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=PATIENCE_SECONDS) as answer:
            return str(answer.read().decode())

    def post(self, path: str, fields: Mapping[str, object]) -> int:
        body, headers = json.dumps(fields).encode(), {"Content-Type": "application/json"}
        request = Request(f"http://127.0.0.1:{self.port}{path}", body, headers)
        with urlopen(request, timeout=PATIENCE_SECONDS) as answer:
            return int(answer.status)


@contextmanager
def serving(jawel: Jawel, *options: str, **streams: Any) -> Iterator[Running]:
    port = free_port()
    with jawel.started("serve", "--port", str(port), "--processes", "1", *options, **streams) as process:
        running = Running(process, port)
        eventually(lambda: process.poll() is not None or answers(running))
        yield running


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def answers(running: Running) -> bool:
    with suppress(OSError):
        return "alive" in running.get("/healthz")
    return False


def eventually(happened: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not happened():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def findings(result: Any) -> dict[str, str]:
    """What the doctor said of each thing: `ok`, `warn` or `fail`."""
    return {line[6:].partition(":")[0]: line[:6].strip() for line in result.stdout.splitlines()}
