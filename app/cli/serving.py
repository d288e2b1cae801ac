"""The two long-running commands, and how they stop.

On SIGTERM or SIGINT both take no new work, finish what is in flight, and exit 0 within ten seconds.
"""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click
from granian import Granian
from granian.constants import Interfaces

from app import create_app
from app import worker as working
from config import Settings

GRACE_SECONDS = 8


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8000, show_default=True)
@click.option("--processes", type=click.IntRange(1), help="Default: 1 on SQLite, else one for each core.")
@click.option("--threads", type=click.IntRange(1), default=8, show_default=True, help="In each process.")
@click.option("--no-worker", is_flag=True, help="Leave letters to `jawel worker`.")
@click.pass_obj
def serve(context: Any, host: str, port: int, processes: int | None, threads: int, no_worker: bool) -> None:
    """Answer requests, with a worker beside."""
    settings = context.settings
    on_sqlite = settings.database_url.startswith("sqlite")
    server = Granian(
        "wsgi:app",
        address=host,
        port=port,
        interface=Interfaces.WSGI,
        workers=processes or (1 if on_sqlite else os.cpu_count() or 1),
        blocking_threads=threads,
        workers_kill_timeout=GRACE_SECONDS,
        respawn_failed_workers=True,
        log_enabled=False,
    )
    _announce(settings, f"{host}:{port}")
    with _beside(no_worker):
        server.serve()


@click.command()
@click.option("--once", is_flag=True, help="Do what is due, then exit.")
@click.pass_obj
def worker(context: Any, once: bool) -> None:
    """Deliver letters, let unconfirmed requests lapse. Any number may run at once."""
    app = create_app(context.settings)
    if once:
        working.run_once(app)
        return
    stop = threading.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, lambda *_: stop.set())
    working.run(app, stop)


def _announce(settings: Settings, address: str) -> None:
    click.echo(f"Jawel listens on {address}; its links begin with {settings.public_url}/")
    if settings.in_development and settings.mail_server is None:
        click.echo(f"Letters land in {settings.public_url}/mailbox")
    click.echo(f"The API is described at {settings.public_url}/docs")


@contextmanager
def _beside(no_worker: bool) -> Iterator[None]:
    """A worker process for as long as the block runs, started again should it die."""
    if no_worker:
        yield
        return
    stopping = threading.Event()
    keeper = threading.Thread(target=_keep_worker, args=(stopping,), daemon=True)
    keeper.start()
    try:
        yield
    finally:
        stopping.set()
        keeper.join(GRACE_SECONDS + 1)


def _keep_worker(stopping: threading.Event) -> None:
    while not stopping.is_set():
        process = subprocess.Popen([sys.executable, "-m", "app", "worker"])
        while process.poll() is None and not stopping.is_set():
            stopping.wait(0.2)
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(GRACE_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
        stopping.wait(1)
