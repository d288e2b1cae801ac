"""What ties a process to those that it started: each tells each second that it runs, and ends when the other is gone.

They share a pair of sockets. The kernel closes the end of a process that is gone, however it went, and what the other
end reads then is nothing, on any system. The watchdog counts its own rounds, not seconds: while it was stopped itself,
or got no time on a busy machine, it did not count either, and whoever it looks after has not missed anything.
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
"""In the environment of a program: the number of the descriptor."""
IGNORED = (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
"""Left alone they would end a process: not those it started, and without finishing what is in flight."""

_ours: set[socket.socket] = set()
_starting = threading.Lock()


def _let_go() -> None:
    for end in _ours:
        end.close()
    _ours.clear()


# A process that is forked gets a copy of each end. While that is open, nobody would notice that this one is gone.
os.register_at_fork(after_in_child=_let_go)
# It gets a copy, too, of the pipe on which `Popen` waits for the new program: the wait would last until it ends, too.
os.register_at_fork(before=_starting.acquire, after_in_parent=_starting.release, after_in_child=_starting.release)


def ignore_what_is_for_nobody() -> None:
    """Those that this process starts inherit it."""
    for each in IGNORED:
        signal.signal(each, signal.SIG_IGN)


class Heartbeat:
    """The end of the process that looks after another. `theirs` is for that one."""

    def __init__(self) -> None:
        self._end, self.theirs = socket.socketpair()
        self._end.setblocking(False)
        self._rounds_left = ROUNDS_TO_BEGIN
        _ours.add(self._end)

    def is_silent(self) -> bool:
        """To be asked each `BEAT_SECONDS`. True once nothing came in ten rounds, and not again before ten more."""
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
    """Whether a loop still turns: it did since this was last asked. Until it runs, it is taken for well."""

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
    """A program that is to call `hold_inherited`. From any thread, also while another one forks."""
    number = heartbeat.theirs.fileno()
    with _starting:
        return subprocess.Popen(command, pass_fds=[number], env={**os.environ, INHERITED: str(number)})


def hold_inherited(grace_seconds: float) -> None:
    """What `serve` gave to a program that it started. Nothing where somebody else did."""
    if number := os.environ.get(INHERITED):
        hold(socket.socket(fileno=int(number)), grace_seconds)


def hold(end: socket.socket, grace_seconds: float, is_well: Callable[[], bool] = lambda: True) -> None:
    """From now on beat while `is_well`; end as on SIGTERM when the other end is gone, by force after the grace."""
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
        # Nobody writes to this end. Nobody reads from the other one, either, while its process is stopped.
        return True
    except OSError:
        return False
