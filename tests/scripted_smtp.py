"""A mail server that answers as a script says, stage by stage, on real sockets; a connection each in its own thread."""

import socketserver
import threading
import time
from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

CUT = "(cut)"
"""Closes the connection instead of answering."""
WAIT = "(wait)"
"""Answers after two seconds: as usual, or what stands behind it."""
SILENCE = "(silence)"
WAIT_SECONDS = 2.0
USUAL = {
    "greeting": "220 relay.example.org",
    "EHLO": "250-relay.example.org\r\n250-8BITMIME\r\n250 SMTPUTF8",
    "AUTH": "235 2.7.0 OK",
    "MAIL": "250 2.1.0 OK",
    "RCPT": "250 2.1.5 OK",
    "DATA": "354 go on",
    "dot": "250 2.0.0 taken",
    "RSET": "250 2.0.0 OK",
    "QUIT": "221 2.0.0 bye",
}


@dataclass
class ScriptedServer:
    """`script` has the next answers of a stage, each used once; then it answers as usual."""

    port: int = 0
    script: dict[str, deque[str]] = field(default_factory=lambda: defaultdict(deque))
    commands: list[str] = field(default_factory=list)
    contents: list[bytes] = field(default_factory=list)
    """All that were sent with their final dot, whatever was answered."""
    packets: list[bytes] = field(default_factory=list)
    usual: dict[str, str] = field(default_factory=lambda: dict(USUAL))
    forgets_what_comes_early: bool = False
    """As a server that offers PIPELINING and cannot do it."""

    def say(self, stage: str, *answers: str) -> None:
        self.script[stage] = deque(answers)

    @property
    def senders(self) -> Sequence[str]:
        return [each[len("MAIL FROM:<") :].partition(">")[0] for each in self.commands if each.startswith("MAIL")]


class _Handler(socketserver.StreamRequestHandler):
    def setup(self) -> None:
        super().setup()
        self.told: ScriptedServer = self.server.told  # type: ignore[attr-defined]
        self.received = b""

    def handle(self) -> None:
        try:
            self._answer("greeting")
            while line := self._line():
                if self.told.forgets_what_comes_early:
                    self.received = b""
                command = line.decode("utf-8", "replace").rstrip("\r\n")
                self.told.commands.append(command)
                stage = command.partition(" ")[0].upper()
                if self._answer(stage).startswith("354") and stage == "DATA":
                    self._take_content()
                if stage == "QUIT":
                    return
        except (_Cut, OSError):
            return

    def _line(self) -> bytes:
        while b"\n" not in self.received:
            if not (packet := self.request.recv(65_536)):
                return b""
            self.told.packets.append(packet)
            self.received += packet
        line, end, self.received = self.received.partition(b"\n")
        return line + end

    def _take_content(self) -> None:
        lines = []
        while (line := self._line()) not in (b".\r\n", b""):
            lines.append(line.removeprefix(b"."))
        if line:
            self.told.contents.append(b"".join(lines))
            self._answer("dot")

    def _answer(self, stage: str) -> str:
        server = self.told
        said = server.script[stage].popleft() if server.script[stage] else server.usual.get(stage, "500 5.5.1 what?")
        if said == CUT:
            raise _Cut
        if said == SILENCE:
            self.rfile.read()
            raise _Cut
        if said.startswith(WAIT):
            time.sleep(WAIT_SECONDS)
            said = said.removeprefix(WAIT).lstrip() or server.usual[stage]
        self.wfile.write(said.encode() + b"\r\n")
        return said


class _Cut(Exception):
    pass


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True


@contextmanager
def scripted() -> Iterator[ScriptedServer]:
    told = ScriptedServer()
    with _Server(("127.0.0.1", 0), _Handler) as server:
        server.told = told  # type: ignore[attr-defined]
        told.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        yield told
        server.shutdown()
