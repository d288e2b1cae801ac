"""Requests that are too large, too many-headed, too slow or crooked, sent to `jawel serve` byte by byte."""

import json
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from http.client import HTTPConnection
from pathlib import Path

import pytest

from tests.commands import PATIENCE_SECONDS, Jawel, Running, answers, eventually, serving
from tests.service import ADA, Service

HOST = b"Host: subscribe.example.org\r\n"
POST = b"POST /subscribe HTTP/1.1\r\n" + HOST + b"Content-Type: application/json\r\n"
CHUNK = b"4000\r\n" + b" " * 0x4000 + b"\r\n"
CUT_OFF_SECONDS = 10


@pytest.fixture
def running(service: Service, jawel: Jawel) -> Iterator[Running]:
    with serving(jawel, "--no-worker") as running:
        yield running


def connected(running: Running) -> socket.socket:
    return socket.create_connection(("127.0.0.1", running.port), timeout=PATIENCE_SECONDS)


def status(running: Running, request: bytes) -> int:
    with connected(running) as client:
        client.sendall(request)
        return int(client.recv(100).split()[1])


def test_each_request_has_limits(running: Running) -> None:
    get = b"GET /healthz HTTP/1.1\r\n" + HOST
    for name, request, expected in (
        ("a good one", get + b"\r\n", {200}),
        ("a long path", b"GET /" + b"a" * 10_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n", {404}),
        ("a path beyond reason", b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n", {414, 431}),
        ("a header of 100 kB", get + b"X: " + b"a" * 100_000 + b"\r\n\r\n", {431}),
        ("200 headers", get + b"".join(b"X-%d: x\r\n" % number for number in range(200)) + b"\r\n", {431}),
        ("no HTTP", b"\x16\x03\x01\x02\r\n\r\n", {400}),
        ("two lengths", POST + b"Content-Length: 2\r\nContent-Length: 4\r\n\r\n{}{}", {400}),
        ("a length below nothing", POST + b"Content-Length: -2\r\n\r\n{}", {400}),
        ("a gigabyte announced", POST + b"Content-Length: 1000000000\r\n\r\n", {413}),
        ("a megabyte in chunks", POST + b"Transfer-Encoding: chunked\r\n\r\n" + CHUNK * 64 + b"0\r\n\r\n", {413}),
        ("a line break in a header", get + b"X: a\nSet-Cookie: a=b\x00\r\n\r\n", {400}),
    ):
        assert status(running, request) in expected, name
    with connected(running) as client:
        client.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        assert not client.recv(100).startswith(b"\0\0")


def test_a_body_in_chunks_is_as_good_as_one_that_says_its_length(running: Running) -> None:
    body = b'{"email": "ada@example.org", "newsletters": "weekly", "consent": true}'
    chunked = POST + b"Transfer-Encoding: chunked\r\n\r\n"
    assert status(running, chunked + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)) == 202
    filled = body + b" " * (16 * 1024 - len(body))
    assert status(running, chunked + b"%x\r\n%b\r\n0\r\n\r\n" % (len(filled), filled)) == 202
    assert status(running, chunked + b"%x\r\n%b \r\n0\r\n\r\n" % (len(filled) + 1, filled)) == 413


def test_headers_that_drip_are_cut_off_and_hold_up_nobody(running: Running) -> None:
    began = time.monotonic()
    dripping = [connected(running) for _ in range(50)]
    for client in dripping:
        client.sendall(b"GET /healthz HTTP/1.1\r\nX: a")
    assert "alive" in running.get("/healthz")
    # Answered while they are still waited for: none is read from as long as it hangs.
    dripping[-1].setblocking(False)
    with pytest.raises(BlockingIOError):
        dripping[-1].recv(100)
    dripping[-1].settimeout(PATIENCE_SECONDS)
    for client in dripping:
        with client:
            assert not client.recv(100).startswith(b"HTTP/1.1 200")
    assert time.monotonic() - began > CUT_OFF_SECONDS - 1


SIGNUP = {"email": ADA, "newsletters": "weekly", "consent": True}
MORE_THAN_THREADS = 40


def test_bodies_that_drip_take_no_thread_and_hold_up_nobody(running: Running) -> None:
    dripping = [connected(running) for _ in range(MORE_THAN_THREADS)]
    for number, client in enumerate(dripping):
        said = b"Content-Length: 1000\r\n\r\n{" if number % 2 else b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n"
        client.sendall(POST + said)
    assert "alive" in running.get("/healthz")
    assert running.post("/subscribe", SIGNUP) == 202
    # Answered while they are still waited for: none is read from as long as it hangs.
    dripping[-1].setblocking(False)
    with pytest.raises(BlockingIOError):
        dripping[-1].recv(100)
    for client in dripping:
        client.close()


@pytest.mark.parametrize("said", [b"Content-Length: 10000", b"Transfer-Encoding: chunked"])
def test_a_body_that_does_not_come_in_time_is_told_so_and_cut_off(running: Running, said: bytes) -> None:
    with connected(running) as client:
        client.sendall(POST + said + b"\r\n\r\n")
        drip = b"1\r\n \r\n" if b"chunked" in said else b" "
        heard, given_up = b"", time.monotonic() + PATIENCE_SECONDS
        client.settimeout(1)
        while not heard:
            assert time.monotonic() < given_up
            client.sendall(drip)
            with suppress(TimeoutError):
                heard = client.recv(4096)
        client.settimeout(PATIENCE_SECONDS)
        while more := client.recv(4096):
            heard += more
    head, _, document = heard.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 408 ")
    problem = json.loads(document)
    assert (problem["status"], problem["detail"]) == (408, "Send the body within 20 seconds.")


def most_open(running: Running) -> int:
    """Descriptors of the process that has most of them."""
    pid = running.process.pid
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return max(len([*Path(f"/proc/{child}/fd").iterdir()]) for child in children)


FEW = 200


def test_more_connections_than_there_are_descriptors_wait_and_those_that_are_served_are_served(
    service: Service, jawel: Jawel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limited = tmp_path / "limited"
    limited.write_text(f'#!/bin/sh\nulimit -n {FEW}\nexec {sys.executable} "$@"\n')
    limited.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(limited))
    with ExitStack() as held:
        running = held.enter_context(serving(jawel, "--no-worker"))
        kept = HTTPConnection("127.0.0.1", running.port, timeout=PATIENCE_SECONDS)
        held.callback(kept.close)
        kept.connect()
        for _ in range(300):
            held.enter_context(connected(running))
        assert most_open(running) < FEW - 10
        kept.request("POST", "/subscribe", json.dumps(SIGNUP), {"Content-Type": "application/json"})
        assert kept.getresponse().status == 202
        eventually(lambda: answers(running))
