"""An SMTP server that takes everything and keeps nothing; as fast as Python can, so that it is not what is measured."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class _Session(asyncio.Protocol):
    def __init__(self) -> None:
        self._received = b""
        self._in_data = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(b"220 sink\r\n")

    def data_received(self, data: bytes) -> None:
        self._received += data
        while self._step():
            pass

    def _step(self) -> bool:
        end = b"\r\n.\r\n" if self._in_data else b"\r\n"
        taken, found, rest = self._received.partition(end)
        if not found:
            return False
        self._received = rest
        if self._in_data:
            self._in_data = False
            self._transport.write(b"250 2.0.0 taken\r\n")
            return True
        verb = taken[:4].upper()
        self._in_data = verb == b"DATA"
        self._transport.write({b"DATA": b"354 go on\r\n", b"QUIT": b"221 bye\r\n"}.get(verb, b"250 2.1.0 OK\r\n"))
        return True


@contextmanager
def running() -> Iterator[int]:
    """The port it listens on."""
    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(loop.create_server(_Session, "127.0.0.1", 0))
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
