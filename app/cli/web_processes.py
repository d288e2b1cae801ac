"""The web processes, and the supervisor that restarts them."""

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
    """Sets `stopping` as soon as it is told to stop: the worker beside has the same ten seconds, not ten more.

    Granian restarts a process that has ended. The watchdog here kills a process that is stopped or hangs.
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
        """Does nothing: Granian would restart all processes with the old settings and the old program."""

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
                    # Not `process.kill()`: Granian would treat that as an intended end.
                    process.inner.kill()


def load(threads: int, target: str) -> Gateway:
    app = resolve_name(target)
    # Only once the loop runs: at its start uvloop takes the descriptor for signals, even if it is in use.
    return Gateway(app, threads, lambda loop: loop.call_soon(shutdown.watch, resources_of(app).stopping))


def _load_tied(end: socket.socket, load: Callable[[], Gateway]) -> Gateway:
    """Runs in each web process.

    The supervisor stops web processes by SIGTERM. With Ctrl-C at the same instant, which reaches all processes of a
    terminal, Granian was seen to wait for ever, so SIGINT is blocked. Each thread inherits this.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    of_loop = LoopHeartbeat()
    heartbeats.hold(end, GRACE_SECONDS, of_loop.go_on)
    gateway = load()
    gateway.when_ready.append(of_loop.of)
    return gateway
