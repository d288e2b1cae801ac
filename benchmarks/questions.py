"""Requests as bytes, built before the clock starts."""

import json
import random
from collections.abc import Iterator, Sequence
from itertools import count

from benchmarks import population

_clients, _people = count(), count()


def post(path: str, body: object, headers: str = "") -> bytes:
    content = json.dumps(body).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: subscribe.example.org\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(content)}\r\n{headers}\r\n"
    )
    return head.encode() + content


def signups() -> Iterator[bytes]:
    """Each for a new address."""
    while True:
        yield signup(f"new{next(_people)}@example.org")


def signup(email: str, *, newsletter: str = "weekly", trapped: bool = False, network: int = 11) -> bytes:
    """`network` is the first number of the client's address."""
    fields = {"email": email, "newsletters": [newsletter], "consent": True, "language": "en"}
    trap = {"website": "https://spam.example"} if trapped else {}
    return post("/subscribe", fields | trap, _client(network))


def _client(network: int = 11) -> str:
    """Another one each time, and in another network: as people are, whose posts are counted against their own limit."""
    number = next(_clients)
    return f"X-Forwarded-For: {network + number // 65536 % 89}.{number // 256 % 256}.{number % 256}.7\r\n"


def statuses(size: int, headers: str) -> Iterator[bytes]:
    while True:
        path = f"/api/v1/subscribers/{population.address(random.randrange(size))}"
        yield f"GET {path} HTTP/1.1\r\nHost: subscribe.example.org\r\n{headers}\r\n".encode()


def lookups(size: int, headers: str, addresses: int) -> Iterator[bytes]:
    while True:
        emails = [population.address(random.randrange(2 * size)) for _ in range(addresses)]
        yield post("/api/v1/subscribers/lookup", {"newsletter": "weekly", "emails": emails}, headers)


def presses(paths: Sequence[str]) -> Iterator[bytes]:
    for path in paths:
        yield post(path, {}, _client())
