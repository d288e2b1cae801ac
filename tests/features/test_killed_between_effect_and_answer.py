"""The server is killed while it carries out a request with an `Idempotency-Key`: repeated, it acts once in all."""

import json
import random
import socket
import time
from collections.abc import Callable
from http.client import HTTPConnection

import pytest

from app.api_keys import Scope
from tests.commands import Jawel, Running, eventually, serving
from tests.service import Service

PATH = "/api/v1/subscriptions"


def body(number: int) -> str:
    return json.dumps({"email": f"reader{number}@example.org", "newsletters": ["weekly"]})


def send_and_look_away(running: Running, headers: dict[str, str], sent: str, until: Callable[[], object]) -> None:
    """The answer, if one is given, is read by nobody."""
    lines = [f"POST {PATH} HTTP/1.1", "Host: localhost", f"Content-Length: {len(sent)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    with socket.create_connection(("127.0.0.1", running.port), timeout=60) as client:
        client.sendall("\r\n".join([*lines, "", sent]).encode())
        until()
        running.process.kill()
        running.process.wait(60)


def repeat(running: Running, headers: dict[str, str], sent: str) -> tuple[int, str | None]:
    connection = HTTPConnection("127.0.0.1", running.port, timeout=60)
    connection.request("POST", PATH, sent, headers)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status, answer.headers["Idempotent-Replayed"]


@pytest.mark.parametrize("engine", ["sqlite"])
@pytest.mark.parametrize("is_done", [True, False], ids=["after-the-effect", "at-any-moment"])
def test_a_request_whose_answer_was_lost_has_one_effect(service: Service, jawel: Jawel, is_done: bool) -> None:
    key = {**service.key(Scope.SUBSCRIBERS_WRITE), "Content-Type": "application/json"}
    for number in range(2):
        headers = {**key, "Idempotency-Key": f"order {number}"}
        moment = random.uniform(0, 0.05)  # noqa: S311 - chance, no secret
        with serving(jawel, "--no-worker") as running:
            before = len(service.events())
            done = lambda before=before: len(service.events()) > before  # noqa: E731
            until = (lambda done=done: eventually(done)) if is_done else (lambda moment=moment: time.sleep(moment))
            send_and_look_away(running, headers, body(number), until)
        with serving(jawel, "--no-worker") as running:
            status, replayed = repeat(running, headers, body(number))
        assert status == 202
        assert replayed == "true" or not is_done
        assert service.events() == ["subscription.requested"] * (number + 1)
