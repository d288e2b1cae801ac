"""A process that may open no more files and connections: whoever asks is told to come back, and served when they do."""

import json
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path

import pytest

from tests.commands import PATIENCE_SECONDS, Jawel, Running, eventually, serving
from tests.service import BROWSER, Service

JSON = {"Content-Type": "application/json"}
SIGNUP = {"email": "ada@example.org", "newsletters": "weekly", "consent": True}
REQUESTS: dict[str, tuple[str, str, dict[str, str], str | None]] = {
    "a file": ("GET", "/static/jawel.css", {}, None),
    "a page": ("GET", "/newsletters/weekly", BROWSER, None),
    "a page with a language": ("GET", "/newsletters/weekly?language=fr", {**BROWSER, "Accept-Language": "fr"}, None),
    "a signup": ("POST", "/subscribe", JSON, json.dumps(SIGNUP)),
    "a signup of a browser": (
        "POST",
        "/subscribe",
        {**BROWSER, "Content-Type": "application/x-www-form-urlencoded"},
        "email=grace%40example.org&newsletters=weekly&consent=yes",
    ),
    "a question": ("GET", "/api/v1/subscribers/ada@example.org", {"Authorization": "Bearer x"}, None),
}


class Kept:
    """A connection that was accepted while there was a descriptor for it."""

    def __init__(self, running: Running) -> None:
        self._connection = HTTPConnection("127.0.0.1", running.port, timeout=PATIENCE_SECONDS)
        assert self.send("GET", "/healthz").status == 200

    def send(
        self, method: str, path: str, headers: dict[str, str] | None = None, body: str | None = None
    ) -> HTTPResponse:
        self._connection.request(method, path, body, headers or {})
        answer = self._connection.getresponse()
        answer.read()
        return answer

    def close(self) -> None:
        self._connection.close()


def web_process(running: Running) -> int:
    pid = running.process.pid
    children = "".join(path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/children")).split()
    (found,) = [each for each in children if "worker" not in Path(f"/proc/{each}/cmdline").read_text().split("\0")]
    return int(found)


@contextmanager
def no_descriptor_left(pid: int) -> Iterator[None]:
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (3, before[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)


@pytest.mark.parametrize("wanted", REQUESTS)
def test_whoever_needs_one_more_descriptor_is_told_to_come_back(service: Service, jawel: Jawel, wanted: str) -> None:
    with serving(jawel, "--no-worker") as running:
        kept = Kept(running)
        with no_descriptor_left(web_process(running)):
            answer = kept.send(*REQUESTS[wanted])
            assert answer.status == 503
            assert int(answer.headers["Retry-After"]) > 0
            assert kept.send("GET", "/readyz").status == 503
            assert kept.send("GET", "/healthz").status == 200
        eventually(lambda: kept.send(*REQUESTS[wanted]).status in (200, 202, 303, 401))
        eventually(lambda: kept.send("GET", "/readyz").status == 200)
        kept.close()
