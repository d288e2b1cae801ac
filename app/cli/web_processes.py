"""The processes that answer requests, and the one that looks after them."""

import signal
import socket
import threading
from collections.abc import Callable
from functools import partial
from pkgutil import resolve_name
from typing import Any

import structlog
from granian import Granian

from app.cli import heartbeats
from app.cli.heartbeats import Heartbeat, LoopHeartbeat
from app.resources import resources_of
from app.web.http import shutdown
from app.web.http.gateway import Gateway

log = structlog.get_logger()

GRACE_SECONDS = 8


class Server(Granian):  # type: ignore[misc, valid-type] # it is one class or another, as Python has a GIL or not
    """Says at once that it was told to stop: the worker beside has the same ten seconds, not ten more.

    Granian starts a process anew that ended. One that was stopped, or hangs, is made to end here.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, workers_kill_timeout=GRACE_SECONDS, respawn_failed_workers=True, **kwargs)
        self.stopping = threading.Event()
        self._heartbeats: dict[int, Heartbeat] = {}
        self._silent: set[int] = set()
        self.on_startup(threading.Thread(target=self._look_after_processes, name="watchdog", daemon=True).start)

    def signal_handler_interrupt(self, *args: Any, **kwargs: Any) -> None:
        self.stopping.set()
        super().signal_handler_interrupt(*args, **kwargs)

    def signal_handler_reload(self, *args: Any, **kwargs: Any) -> None:
        """Granian would start all processes anew, with the settings and the program of before: nobody needs that."""

    def _spawn_worker(self, idx: int, target: Any, callback_loader: Any) -> Any:
        before = self._heartbeats.get(idx)
        heartbeat = self._heartbeats[idx] = Heartbeat()
        if before:
            before.close()
        return super()._spawn_worker(idx, target, partial(_load_tied, heartbeat.theirs, callback_loader))

    def _respawn_workers(self, workers: list[int], *args: Any, **kwargs: Any) -> None:
        for idx in workers:
            log.warning("process.replaced", kind="web", reason="silent" if idx in self._silent else "ended")
            self._silent.discard(idx)
        super()._respawn_workers(workers, *args, **kwargs)

    def _look_after_processes(self) -> None:
        while not self.stopping.wait(heartbeats.BEAT_SECONDS):
            for process in list(self.wrks):
                if self._heartbeats[process.idx].is_silent():
                    self._silent.add(process.idx)
                    # Not `process.kill()`: Granian would take it for an end that was wanted.
                    process.inner.kill()


def load(threads: int, target: str) -> Gateway:
    app = resolve_name(target)
    # Once the loop runs: uvloop takes the descriptor for signals when it begins, whoever has it.
    return Gateway(app, threads, lambda loop: loop.call_soon(shutdown.watch, resources_of(app).stopping))


def _load_tied(end: socket.socket, load: Callable[[], Gateway]) -> Gateway:
    """In each of the processes that answer.

    They are told to stop by SIGTERM from the one that looks after them. With Ctrl-C at the same instant, which reaches
    all processes of a terminal, Granian was seen to wait for ever. Each thread inherits what is blocked.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    of_loop = LoopHeartbeat()
    heartbeats.hold(end, GRACE_SECONDS, of_loop.go_on)
    gateway = load()
    gateway.when_ready.append(of_loop.of)
    return gateway
