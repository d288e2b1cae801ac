"""A load generator that costs little beside what it measures: one thread, plain sockets, requests built beforehand."""

import selectors
import socket
import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

CONNECTIONS = 16


@dataclass
class Outcome:
    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    """Seconds, each from when the request was due until its answer was complete."""
    statuses: Counter[int] = field(default_factory=Counter)

    @property
    def rate(self) -> float:
        return len(self.latencies) / self.seconds

    def percentile(self, share: float) -> float:
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


class _Connection:
    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.due_at = 0.0
        self._received = b""
        self._expected = 0

    def ask(self, request: bytes, due_at: float) -> None:
        self.due_at, self._received, self._expected = due_at, b"", 0
        self.socket.sendall(request)

    def read(self) -> int | None:
        """The status, once the answer is complete."""
        received = self.socket.recv(262144)
        if not received:
            raise ConnectionError("the server hung up")
        self._received += received
        if not self._expected:
            head, found, _rest = self._received.partition(b"\r\n\r\n")
            if not found:
                return None
            length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
            self._expected = len(head) + 4 + int(length or 0)
        return int(self._received[9:12]) if len(self._received) >= self._expected else None


def saturate(port: int, requests: Iterable[bytes], seconds: float, connections: int = CONNECTIONS) -> Outcome:
    """As many requests as `connections` can get answered, each sending its next when it has the answer to the last."""
    return _run(port, requests, seconds, _at_once(), connections)


def at_rate(port: int, requests: Iterable[bytes], seconds: float, rate: float) -> Outcome:
    """Requests at a steady rate, whether or not the earlier ones have been answered."""
    return _run(port, requests, seconds, _steadily(rate), 4 * CONNECTIONS)


def one_by_one(port: int, requests: Iterable[bytes]) -> list[float]:
    """Seconds for each, none asked before the last was answered. Raises SystemExit where one is refused."""
    connection = _Connection(port)
    seconds = []
    for request in requests:
        begun = time.perf_counter()
        connection.ask(request, begun)
        status = None
        while status is None:
            status = connection.read()
        seconds.append(time.perf_counter() - begun)
        if status >= 300:
            raise SystemExit(f"An answer with status {status}: nothing is worth measuring here.")
    connection.socket.close()
    return seconds


def _at_once() -> Iterator[float]:
    while True:
        yield 0.0


def _steadily(rate: float) -> Iterator[float]:
    start, sent = time.perf_counter(), 0
    while True:
        yield start + sent / rate
        sent += 1


def _run(port: int, requests: Iterable[bytes], seconds: float, due: Iterator[float], connections: int) -> Outcome:
    outcome = Outcome()
    idle = deque(_Connection(port) for _ in range(connections))
    with selectors.DefaultSelector() as selector:
        for connection in idle:
            selector.register(connection.socket, selectors.EVENT_READ, connection)
        start = time.perf_counter()
        pairs = zip(due, requests, strict=False)
        pair = next(pairs, None)
        while pair is not None or len(idle) < connections:
            now = time.perf_counter()
            if now - start >= seconds:
                pair = None
            while pair is not None and idle and pair[0] <= now:
                idle.popleft().ask(pair[1], pair[0] or now)
                pair = next(pairs, None)
            until_next = pair[0] - now if pair and idle else 0.05
            for key, _events in selector.select(timeout=max(0.0, min(0.05, until_next))):
                _receive(key.data, outcome, idle)
        outcome.seconds = time.perf_counter() - start
    for connection in idle:
        connection.socket.close()
    return outcome


def _receive(connection: _Connection, outcome: Outcome, idle: deque[_Connection]) -> None:
    status = connection.read()
    if status is not None:
        outcome.latencies.append(time.perf_counter() - connection.due_at)
        outcome.statuses[status] += 1
        idle.append(connection)
