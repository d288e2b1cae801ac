"""`jawel feedback listen` as a process, and a mail server that hands mails over to it by LMTP."""

import json
import smtplib
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.commands import PATIENCE_SECONDS, Jawel, eventually

NOBODY = "bounces@example.net"


class LmtpClient(smtplib.LMTP):
    """Hands mails over as Postfix does: with the replies behind the final dot one by one."""

    sender = ""
    """Of the envelope; empty for bounces."""

    def hand_over(self, mail: bytes, *recipients: str) -> list[int]:
        """The codes of these replies."""
        self.begin(*recipients)
        return self.finish(mail, len(recipients))

    def begin(self, *recipients: str) -> None:
        """All that comes before the mail itself."""
        self.ehlo_or_helo_if_needed()
        assert self.mail(self.sender)[0] == 250
        for each in recipients:
            assert self.rcpt(each)[0] == 250
        assert self.docmd("DATA")[0] == 354

    def finish(self, mail: bytes, replies: int = 1) -> list[int]:
        self.send_whole(mail)
        return [self.getreply()[0] for _ in range(replies)]

    def send_whole(self, mail: bytes) -> None:
        lines = (mail if mail.endswith(b"\r\n") or not mail else mail + b"\r\n").split(b"\r\n")
        self.send(b"\r\n".join(b"." + line if line.startswith(b".") else line for line in lines) + b".\r\n")


@dataclass(frozen=True, slots=True)
class Listening:
    process: "subprocess.Popen[str]"
    output: Path
    port: int

    def client(self, sender: str = "") -> LmtpClient:
        client = LmtpClient("127.0.0.1", self.port, timeout=PATIENCE_SECONDS)
        client.sender = sender
        return client

    def hand_over(self, mail: bytes, *recipients: str, sender: str = "") -> list[int]:
        """By a connection of its own."""
        with self.client(sender) as client:
            return client.hand_over(mail, *(recipients or [NOBODY]))

    def lines(self) -> list[dict[str, Any]]:
        """Its log, without the line that says where it listens."""
        return [line for line in _lines(self.output) if line["event"] != "feedback.listening"]

    def processes(self) -> list[int]:
        """Those that take the mails."""
        return children(self.process.pid)


def children(of: int) -> list[int]:
    """The processes that a process has started."""
    threads = sorted(Path(f"/proc/{of}/task").glob("*/children"))
    return [int(pid) for thread in threads for pid in thread.read_text().split()]


@contextmanager
def listening(jawel: Jawel, output: Path, port: int = 0) -> Iterator[Listening]:
    with output.open("w") as stream, jawel.started(*LISTEN, f"127.0.0.1:{port}", stdout=stream) as process:
        eventually(lambda: _lines(output) or process.poll() is not None)
        (line,) = [each for each in _lines(output) if each["event"] == "feedback.listening"]
        yield Listening(process, output, line["port"])


LISTEN = ("feedback", "listen", "--lmtp")


def _lines(output: Path) -> list[dict[str, Any]]:
    # The last one may be half written.
    return [json.loads(line) for line in output.read_text().splitlines(keepends=True) if line.endswith("\n")]
