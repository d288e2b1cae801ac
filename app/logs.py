"""Structured logs: one line for each change of state, on standard output.

Invariant: lines hold ids, kinds and counts; never an address, a token, a client address or a body. Logging never makes
its caller fail: a line that cannot be written (full disk, pipe without a reader) is dropped and counted.
"""

import io
import logging
import os
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TextIO

import structlog

from config import Settings

LINES_DROPPED = "log_lines_dropped"
TELL_EVERY_SECONDS = 2


def configure(settings: Settings) -> None:
    console = structlog.dev.ConsoleRenderer(colors=bool(sys.stdout and sys.stdout.isatty()))
    renderer = structlog.processors.JSONRenderer() if settings.log_format == "json" else console
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(_forgiving(sys.stdout)),
        cache_logger_on_first_use=False,
    )


def make_streams_safe() -> None:
    """For a process that prints only its log: no print, by any library, can fail because of the stream.

    Nor can the interpreter's last flush, which would otherwise change the exit status. Not for commands that are run
    for their output, where a lost line is an error.
    """
    sys.stdout, sys.stderr = _forgiving(sys.stdout), _forgiving(sys.stderr)


def count_dropped(tell: Callable[[int], bool]) -> None:
    """From now on `tell` records the number of dropped lines; it returns False if it cannot do so now."""
    _dropped.tell = tell


class _Dropped:
    """Dropped lines that are not recorded yet. The logging thread may be in a transaction, which on SQLite blocks all
    other writers, so a separate thread records them; the first line starts it."""

    def __init__(self) -> None:
        self.tell: Callable[[int], bool] | None = None
        self._lock = threading.RLock()
        self._lines = 0
        self._teller: threading.Thread | None = None

    def add(self, lines: int) -> None:
        with self._lock:
            self._lines += lines
            if self.tell and not (self._teller and self._teller.is_alive()):
                self._teller = threading.Thread(target=self._run, name="dropped lines", daemon=True)
                # Starting a thread may fail for lack of resources; then the next line tries again.
                with suppress(RuntimeError):
                    self._teller.start()

    def _run(self) -> None:
        while True:
            time.sleep(TELL_EVERY_SECONDS)
            with self._lock:
                lines, self._lines = self._lines, 0
            is_told = not lines
            with suppress(Exception):
                is_told = is_told or bool(self.tell and self.tell(lines))
            if not is_told:
                with self._lock:
                    self._lines += lines


_dropped = _Dropped()


def _forgiving(stream: TextIO | None) -> TextIO:
    """The same stream, without a buffer and without errors. A stream without a descriptor stays as it is."""
    if isinstance(getattr(stream, "buffer", None), _Descriptor):
        return stream  # type: ignore[return-value]
    # If a descriptor was closed from the start, its number belongs to the next file that is opened.
    descriptor: int | None = None
    if stream is not None:
        try:
            stream.flush()
            descriptor = stream.fileno()
        except io.UnsupportedOperation:
            return stream
        except OSError:
            descriptor = stream.fileno()
    encoding = getattr(stream, "encoding", None) or "utf-8"
    raw: Any = _Descriptor(descriptor, stream)
    return io.TextIOWrapper(raw, encoding, "backslashreplace", newline="\n", write_through=True)


class _Descriptor(io.RawIOBase):
    """Writes each line at once, or drops it. After a gap it writes how many lines are missing."""

    def __init__(self, descriptor: int | None, owner: TextIO | None) -> None:
        self._descriptor = descriptor
        self._owner = owner
        self._lock = threading.RLock()
        self._missing = 0
        self._is_amid_line = self._is_torn = False

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return self._descriptor is not None and os.isatty(self._descriptor)

    def fileno(self) -> int:
        # Once its owner has closed it, the number may belong to another file.
        if self._descriptor is None or (self._owner and self._owner.closed):
            raise io.UnsupportedOperation("there is no descriptor")
        return self._descriptor

    def write(self, data: Any) -> int:
        content = bytes(data)
        with self._lock:
            if self._missing and self._put(_gap(self._missing)):
                self._missing = 0
            if not self._put(content):
                lines = content.count(b"\n")
                self._missing += lines
                _dropped.add(lines)
        return len(content)

    def _put(self, content: bytes) -> bool:
        rest = b"\n" + content if self._is_torn else content
        try:
            while rest:
                written = os.write(self.fileno(), rest)
                self._is_amid_line = not rest[:written].endswith(b"\n")
                rest = rest[written:]
        except OSError:
            self._is_torn = self._is_amid_line
            return False
        self._is_torn = False
        return True


def _gap(lines: int) -> bytes:
    """The line that reports the missing ones."""
    event: Any = {"event": "log.lines_dropped", "count": lines}
    for processor in structlog.get_config()["processors"]:
        event = processor(None, "warning", event)
    return f"{event}\n".encode(errors="backslashreplace")
