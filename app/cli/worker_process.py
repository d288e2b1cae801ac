"""The worker process that `jawel serve` runs beside the web processes."""

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from app.cli import heartbeats
from app.cli.heartbeats import Heartbeat
from app.cli.web_processes import GRACE_SECONDS

log = structlog.get_logger()

WORKER = (sys.executable, "-m", "app", "worker")


@contextmanager
def beside(stopping: threading.Event) -> Iterator[None]:
    """Runs a worker process until `stopping` is set or the block ends; restarts it if it dies or falls silent."""
    keeper = threading.Thread(target=_keep, args=(stopping,), daemon=True)
    keeper.start()
    try:
        yield
    finally:
        stopping.set()
        keeper.join(GRACE_SECONDS + 1)


def _keep(stopping: threading.Event) -> None:
    # The worker inherits this. Ctrl-C reaches all processes of a terminal; this process passes it on. The other signals
    # would end the worker while it starts: Granian has a handler for SIGHUP, and a program inherits no handlers.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, *heartbeats.IGNORED})
    while not stopping.is_set():
        heartbeat = Heartbeat()
        try:
            _look_after(heartbeats.start(WORKER, heartbeat), heartbeat, stopping)
        except OSError as error:
            # No free descriptor or process is left.
            log.error("process.not_started", kind="worker", error=type(error).__name__)
            stopping.wait(heartbeats.BEAT_SECONDS)
        finally:
            heartbeat.close()


def _look_after(process: "subprocess.Popen[bytes]", heartbeat: Heartbeat, stopping: threading.Event) -> None:
    reason = "ended"
    while not stopping.wait(heartbeats.BEAT_SECONDS):
        if process.poll() is not None:
            log.warning("process.replaced", kind="worker", reason=reason)
            return
        if heartbeat.is_silent():
            reason = "silent"
            process.kill()
    process.terminate()
    try:
        process.wait(GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
