"""RSGI-to-WSGI gateway between the server and the application.

Invariant: a request takes a thread only once its whole body has been received.

The server speaks RSGI, whose requests are coroutines on one loop. Any number of bodies is awaited there, each for at
most `BODY_SECONDS`. The application is plain WSGI and runs in threads, as under any other server. One more thread
answers the liveness check while all others are busy.
"""

import asyncio
import sys
import threading
from collections import deque
from collections.abc import Callable
from contextlib import AsyncExitStack
from io import BytesIO
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

import structlog
from werkzeug.exceptions import RequestTimeout

from app.web import feedback_webhooks

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

log = structlog.get_logger()

WhenReady = Callable[[asyncio.AbstractEventLoop], object]

BODY_SECONDS = 20
LARGEST = feedback_webhooks.MAX_BYTES
SMALL = 64 * 1024
LARGE_ONES_AT_ONCE = 8
"""Bounds memory: one small body per connection, and at most this many larger ones."""
ALIVE = "/healthz"
LET_GO_EVERY_SECONDS = 0.5
"""For when no further request comes, as at shutdown: the server waits for coroutines before it stops."""


class Overdue:
    """Stands for a body that did not arrive in time. Reading it raises RequestTimeout (408)."""

    def read(self, *_: object) -> bytes:
        raise RequestTimeout(f"Send the body within {BODY_SECONDS} seconds.")

    readline = readlines = read


class Gateway:
    """Hands requests to threads by a queue; an answered coroutine is released by the next request or timer.

    Waking the loop for each answer would cost a third of a status request, with nothing else to do there.
    """

    def __init__(self, application: "WSGIApplication", threads: int, when_ready: WhenReady) -> None:
        self._application = application
        self._threads, self._spare = _Threads(threads, self._answer), _Threads(1, self._answer)
        self._large = asyncio.Semaphore(LARGE_ONES_AT_ONCE)
        self._answered: deque[asyncio.Future[None]] = deque()
        self.when_ready = [when_ready]

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._threads.start()
        self._spare.start()
        self._let_go_again(loop)
        for each in self.when_ready:
            each(loop)

    async def __rsgi__(self, scope: Any, proto: Any) -> None:
        self._let_go()
        body = await self._body(scope, proto)
        answered = asyncio.get_running_loop().create_future()
        (self._spare if scope.path == ALIVE else self._threads).put(scope, proto, body, answered)
        await answered

    def _let_go(self) -> None:
        while self._answered:
            answered = self._answered.popleft()
            if not answered.done():
                answered.set_result(None)

    def _let_go_again(self, loop: asyncio.AbstractEventLoop) -> None:
        self._let_go()
        loop.call_later(LET_GO_EVERY_SECONDS, self._let_go_again, loop)

    async def _body(self, scope: Any, proto: Any) -> Any:
        length = scope.headers.get("content-length")
        if length is None and "transfer-encoding" not in scope.headers:
            return BytesIO()
        if length is not None and int(length) > LARGEST:
            # The application refuses it by its Content-Length; it stays unread.
            return BytesIO()
        try:
            async with asyncio.timeout(BODY_SECONDS):
                if length is not None and int(length) <= SMALL:
                    return BytesIO(await proto())
                return await self._read(proto)
        except TimeoutError:
            return Overdue()
        except RuntimeError:
            # The client broke off: the application gets a shorter body than announced.
            return BytesIO()

    async def _read(self, chunks: Any) -> BytesIO:
        body = BytesIO()
        async with AsyncExitStack() as held:
            async for chunk in chunks:
                before = body.tell()
                body.write(chunk)
                if not chunk or body.tell() > LARGEST:
                    break
                if before <= SMALL < body.tell():
                    await held.enter_async_context(self._large)
        body.seek(0)
        return body

    def _answer(self, scope: Any, proto: Any, body: Any, answered: "asyncio.Future[None]") -> None:
        try:
            self._respond(scope, proto, body)
        finally:
            self._answered.append(answered)

    def _respond(self, scope: Any, proto: Any, body: Any) -> None:
        told: list[Any] = []

        def start_response(status: str, headers: list[tuple[str, str]], _error: Any = None) -> Callable[..., Any]:
            told[:] = [int(status[:3]), headers]
            return told.append

        chunks = self._application(environ(scope, body), start_response)
        try:
            content = b"".join(chunks)
        finally:
            if close := getattr(chunks, "close", None):
                close()
        status, headers = told[:2]
        if isinstance(body, Overdue):
            headers = [*headers, ("Connection", "close")]
        proto.response_bytes(status, headers, content)


class _Threads:
    """A fixed number of threads that take requests from one queue."""

    def __init__(self, number: int, answer: Callable[..., None]) -> None:
        self._number, self._answer = number, answer
        self._waiting: SimpleQueue[tuple[Any, ...]] = SimpleQueue()

    def start(self) -> None:
        for number in range(self._number):
            threading.Thread(target=self._run, name=f"request-{number}", daemon=True).start()

    def put(self, *request: Any) -> None:
        self._waiting.put(request)

    def _run(self) -> None:
        while True:
            request = self._waiting.get()
            try:
                self._answer(*request)
            except Exception as error:
                log.error("request.crashed", kind=type(error).__name__)


def environ(scope: Any, body: Any) -> dict[str, Any]:
    """PEP 3333. Drops headers with an underscore in the name: WSGI could not tell them from those with a hyphen."""
    name, _, port = scope.server.rpartition(":")
    found: dict[str, Any] = {
        "REQUEST_METHOD": scope.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": scope.path.encode().decode("latin-1"),
        "QUERY_STRING": scope.query_string,
        "SERVER_NAME": name.strip("[]"),
        "SERVER_PORT": port,
        "SERVER_PROTOCOL": f"HTTP/{scope.http_version}",
        "REMOTE_ADDR": scope.client.rpartition(":")[0].strip("[]"),
        "HTTP_HOST": scope.authority or "",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.scheme,
        "wsgi.input": body,
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    met: set[str] = set()
    for header, value in scope.headers.items():
        if "_" in header:
            continue
        key = header.upper().replace("-", "_")
        key = key if key in {"CONTENT_TYPE", "CONTENT_LENGTH"} else f"HTTP_{key}"
        found[key] = f"{found[key]}{';' if header == 'cookie' else ','}{value}" if key in met else value
        met.add(key)
    return found
