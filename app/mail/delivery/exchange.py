"""Commands and replies on one SMTP connection, with a limit for each reply.

Invariant: a reply is waited for until its own limit, however it is split into packets, and while it is awaited the
caller is told at least every SLICE_SECONDS.
"""

import select
import smtplib
import socket
import ssl
import time
from collections.abc import Callable, Sequence

from app.feedback.replies import Stage
from app.mail.delivery.failures import AnswerMissing

CONTENT_SECONDS = 600
"""For the reply to the final dot (RFC 5321 section 4.5.3.2.6). To give up earlier means to send the letter again."""
SLICE_SECONDS = 5.0
_PACKET = 65_536

Waiting = Callable[[Stage], None]
"""Called at least every SLICE_SECONDS while a reply is awaited. It raises nothing."""


class _Received:
    """The lines that the server has sent, as the file that smtplib reads its replies from.

    smtplib's own waits for a packet, not for a reply, and does not tell what it has read ahead.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._connection, self._read = connection, bytearray()
        self._until = 0.0
        self._waiting: Callable[[], None] = lambda: None

    def limit(self, seconds: float, waiting: Callable[[], None]) -> None:
        """For all lines that are read from now on."""
        self._until, self._waiting = time.monotonic() + seconds, waiting

    def readline(self, limit: int) -> bytes:
        """Raises TimeoutError. Empty once the server has hung up."""
        while (end := self._read.find(b"\n") + 1) == 0 and len(self._read) < limit:
            if not (packet := self._packet()):
                break
            self._read += packet
        end = min(end or len(self._read), limit)
        line = bytes(self._read[:end])
        del self._read[:end]
        return line

    def _packet(self) -> bytes:
        while not self._is_readable(min(SLICE_SECONDS, max(0.0, self._until - time.monotonic()))):
            self._waiting()
            if time.monotonic() >= self._until:
                raise TimeoutError
        return self._connection.recv(_PACKET)

    def _is_readable(self, seconds: float) -> bool:
        if isinstance(self._connection, ssl.SSLSocket) and self._connection.pending():
            return True
        poll = select.poll()
        poll.register(self._connection, select.POLLIN)
        return bool(poll.poll(seconds * 1000))

    def close(self) -> None:
        pass


class Exchange:
    """Of one connection, after its greeting, TLS and login."""

    def __init__(self, host: smtplib.SMTP, seconds: float) -> None:
        assert host.sock is not None
        self.host, self._seconds = host, seconds
        self._received = _Received(host.sock)
        self._received.limit(seconds, lambda: None)
        host.file = self._received

    def send(self, commands: Sequence[str]) -> None:
        """Several at once only if the server offers PIPELINING (RFC 2920). Raises ValueError for a line end in one."""
        if any(end in command for command in commands for end in "\r\n"):
            raise ValueError("a command is one line")
        self.host.send("".join(f"{command}\r\n" for command in commands))

    def reply(self, stage: Stage, waiting: Waiting) -> tuple[int, bytes]:
        """Raises an error of the network or of smtplib, whose context is TimeoutError if the limit was reached."""
        self._received.limit(self._seconds, lambda: waiting(stage))
        return self.host.getreply()

    def send_content(self, content: bytes) -> None:
        """With leading dots doubled (RFC 5321 section 4.5.2), and the final dot."""
        # smtplib quotes text; Latin-1 is the bytes as they are.
        quoted = smtplib.quotedata(content.decode("latin-1")).encode("latin-1")
        self.host.send(quoted + (b".\r\n" if quoted.endswith(b"\r\n") else b"\r\n.\r\n"))

    def answer_to_content(self, waiting: Waiting) -> tuple[int, bytes]:
        """Raises AnswerMissing if none comes: only the server knows what became of the letter."""
        self._received.limit(CONTENT_SECONDS, lambda: waiting(Stage.CONTENT))
        try:
            code, reply = self.host.getreply()
        except (OSError, smtplib.SMTPException) as error:
            raise AnswerMissing("timeout" if is_timeout(error) else "connection") from None
        if code < 200 or 300 <= code < 400:
            raise AnswerMissing("connection")
        return code, reply


def is_timeout(error: BaseException) -> bool:
    return isinstance(error, TimeoutError) or isinstance(error.__context__, TimeoutError)
