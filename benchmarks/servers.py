"""The two that are compared, each started as a deployment starts it, on a database of its own with the same rows."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

BIN = Path(sys.executable).parent
THREADS = 4
PATIENCE_SECONDS = 30
UNBOUNDED = {"MAIL_BUDGET_TOTAL": "0", "MAIL_BUDGET_DOMAIN": "0", "MAIL_BUDGET_NEWSLETTER": "0"}
"""Where everybody has the same domain, or asks for the same newsletter."""


@dataclass(frozen=True, slots=True)
class Server:
    port: int
    pid: int
    started_in: float
    """Seconds from the command to the first good answer."""

    def memory(self) -> float:
        """MiB resident in the largest of its processes: the one that answers."""
        return max(_resident(pid) for pid in [self.pid, *_children(self.pid)])


def environment(database_url: str, secrets: Mapping[str, str], smtp_port: int) -> dict[str, str]:
    return {
        **os.environ,
        **secrets,
        "JAWEL_ENV": "production",
        "PUBLIC_URL": "https://subscribe.example.org",
        "DATABASE_URL": database_url,
        "MAIL_SERVER": "127.0.0.1",
        "MAIL_PORT": str(smtp_port),
        # Every request comes from a client of its own, as signups do.
        "TRUSTED_PROXIES": "1",
        # All of them fill in one form, and as fast as they can.
        "RATE_LIMIT_FORM": "100000",
        "LOG_FORMAT": "json",
    }


@contextmanager
def service(env: Mapping[str, str], port: int, processes: int) -> Iterator[Server]:
    """The web server alone: letters are measured by themselves."""
    with whole_service(env, port, processes, "--no-worker") as server:
        yield server


@contextmanager
def whole_service(env: Mapping[str, str], port: int, processes: int, *options: str) -> Iterator[Server]:
    command = [BIN / "jawel", "serve", "--port", port, "--processes", processes, "--threads", THREADS, *options]
    with _running(command, env, port, "/readyz") as server:
        yield server


@contextmanager
def floor(database_url: str, port: int, processes: int) -> Iterator[Server]:
    command = [BIN / "granian", "--interface", "wsgi", "--port", port, "--workers", processes]
    command += ["--blocking-threads", THREADS, "--no-log", "benchmarks.floor:app"]
    env = {**os.environ, "FLOOR_DATABASE_URL": database_url}
    with _running(command, env, port, "/static/none") as server:
        yield server


@contextmanager
def _running(command: list[object], env: Mapping[str, str], port: int, path: str) -> Iterator[Server]:
    start = time.perf_counter()
    process = subprocess.Popen([str(word) for word in command], env=dict(env), stdout=subprocess.DEVNULL)
    try:
        _await_answer(f"http://127.0.0.1:{port}{path}", process)
        yield Server(port, process.pid, time.perf_counter() - start)
    finally:
        process.terminate()
        process.wait()


def _await_answer(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            urlopen(url).close()
        except URLError as error:
            if getattr(error, "code", None) == 404:
                return
            time.sleep(0.02)
        else:
            return
    raise SystemExit(f"No answer from {url}")


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _resident(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
