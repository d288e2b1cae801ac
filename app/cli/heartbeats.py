"""Heartbeats of child processes: a child beats every second, and ends when its parent is gone.

They share a socket pair. The kernel closes the end of a process that has ended, for whatever reason, and the other end
then reads end-of-file, on any system. The watchdog counts its own rounds, not seconds: while it was stopped itself, or
got no time on a busy machine, it did not count either, and the child has missed no beat.
"""

import asyncio
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Sequence

BEAT_SECONDS = 1.0
ROUNDS_OF_SILENCE = 10
ROUNDS_TO_BEGIN = 120
"""A busy machine may take a minute to load a program."""
INHERITED = "JAWEL_HEARTBEAT"
"""Environment variable of a child: the number of the descriptor."""
IGNORED = (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
"""By default they end a process, but not its children, and without finishing the work in flight."""

_ours: set[socket.socket] = set()
_starting = threading.Lock()


def _let_go() -> None:
    for end in _ours:
        end.close()
    _ours.clear()


# A forked process gets a copy of each end. While the copy is open, the end of this process would go unnoticed.
os.register_at_fork(after_in_child=_let_go)
# It also gets a copy of the pipe on which `Popen` waits for the new program, and would prolong that wait.
os.register_at_fork(before=_starting.acquire, after_in_parent=_starting.release, after_in_child=_starting.release)


def ignore_signals() -> None:
    """Child processes inherit this."""
    for each in IGNORED:
        signal.signal(each, signal.SIG_IGN)


class Heartbeat:
    """The parent's end of the socket pair; `theirs` is the child's end."""

    def __init__(self) -> None:
        self._end, self.theirs = socket.socketpair()
        self._end.setblocking(False)
        self._rounds_left = ROUNDS_TO_BEGIN
        _ours.add(self._end)

    def is_silent(self) -> bool:
        """To be called every `BEAT_SECONDS`. True after ten rounds without a beat, and not again before ten more."""
        self._rounds_left = ROUNDS_OF_SILENCE if self._heard() else self._rounds_left - 1
        if self._rounds_left > 0:
            return False
        self._rounds_left = ROUNDS_OF_SILENCE
        return True

    def _heard(self) -> bool:
        try:
            return bool(self._end.recv(4096))
        except OSError:
            return False

    def close(self) -> None:
        _ours.discard(self._end)
        self._end.close()
        self.theirs.close()


class LoopHeartbeat:
    """Whether an event loop still runs: it did since the last call. Until it starts, it counts as running."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._turned = threading.Event()

    def of(self, loop: asyncio.AbstractEventLoop) -> None:
        self._turned.set()
        self._loop = loop

    def go_on(self) -> bool:
        if self._loop is None:
            return True
        if not self._turned.is_set():
            return False
        self._turned.clear()
        self._loop.call_soon_threadsafe(self._turned.set)
        return True


def start(command: Sequence[str], heartbeat: Heartbeat) -> "subprocess.Popen[bytes]":
    """Starts a program that calls `hold_inherited`. Thread-safe, also while another thread forks."""
    number = heartbeat.theirs.fileno()
    with _starting:
        return subprocess.Popen(command, pass_fds=[number], env={**os.environ, INHERITED: str(number)})


def hold_inherited(grace_seconds: float) -> None:
    """Holds the descriptor inherited from `serve`. Does nothing if `serve` did not start this program."""
    if number := os.environ.get(INHERITED):
        hold(socket.socket(fileno=int(number)), grace_seconds)


def hold(end: socket.socket, grace_seconds: float, is_well: Callable[[], bool] = lambda: True) -> None:
    """Beats while `is_well`. When the other end is gone, ends as on SIGTERM; by force after `grace_seconds`."""
    threading.Thread(target=_hold, args=(end, grace_seconds, is_well), name="heartbeat", daemon=True).start()


def _hold(end: socket.socket, grace_seconds: float, is_well: Callable[[], bool]) -> None:
    end.settimeout(BEAT_SECONDS)
    while _is_tied(end, is_well):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(grace_seconds)
    os._exit(1)


def _is_tied(end: socket.socket, is_well: Callable[[], bool]) -> bool:
    try:
        if is_well():
            end.send(b"\0")
        return bool(end.recv(1))
    except TimeoutError:
        # The parent never writes to its end, and does not read from it while it is stopped.
        return True
    except OSError:
        return False
