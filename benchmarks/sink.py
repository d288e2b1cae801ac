"""An SMTP server that takes everything and keeps nothing; as fast as Python can, so that it is not what is measured.

A process of its own: `python -m benchmarks.sink DELAY LOG` prints its port, waits DELAY seconds before each reply, and
writes the recipient and the instant of each letter to LOG once it is told to end.
"""

import asyncio
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Sink:
    port: int
    _process: subprocess.Popen[str]
    _log: Path

    def taken(self) -> Sequence[tuple[str, float]]:
        """Ends the sink. Recipient, and instant at which it had the letter, in seconds since 1970, of each."""
        self._process.terminate()
        self._process.wait()
        lines = (line.split() for line in self._log.read_text().splitlines())
        return [(recipient, float(instant)) for recipient, instant in lines]


@contextmanager
def running(delay: float = 0.0) -> Iterator[Sink]:
    with tempfile.TemporaryDirectory(prefix="jawel-sink-") as folder:
        log = Path(folder) / "taken"
        command = [sys.executable, "-m", "benchmarks.sink", str(delay), str(log)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        try:
            yield Sink(int(process.stdout.readline()), process, log)
        finally:
            process.terminate()
            process.wait()


class _Session(asyncio.Protocol):
    def __init__(self, delay: float, taken: list[str]) -> None:
        self._delay, self._taken = delay, taken
        self._received = b""
        self._in_data = False
        self._recipient = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._reply(b"220 sink\r\n")

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
            self._taken.append(f"{self._recipient} {time.time()}")
            self._reply(b"250 2.0.0 taken\r\n")
            return True
        verb = taken[:4].upper()
        self._in_data = verb == b"DATA"
        if verb == b"RCPT":
            self._recipient = taken.partition(b"<")[2].partition(b">")[0].decode()
        self._reply({b"DATA": b"354 go on\r\n", b"QUIT": b"221 bye\r\n"}.get(verb, b"250 2.1.0 OK\r\n"))
        return True

    def _reply(self, text: bytes) -> None:
        if self._delay:
            asyncio.get_running_loop().call_later(self._delay, self._transport.write, text)
        else:
            self._transport.write(text)


async def _serve(delay: float, log: Path) -> None:
    taken: list[str] = []
    loop, ends = asyncio.get_running_loop(), asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, ends.set)
    server = await loop.create_server(lambda: _Session(delay, taken), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await ends.wait()
    log.write_text("\n".join(taken))


if __name__ == "__main__":
    asyncio.run(_serve(float(sys.argv[1]), Path(sys.argv[2])))
