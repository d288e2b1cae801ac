"""The two long-running commands, and how they stop.

On SIGTERM or SIGINT both take no new work, finish what is in flight, and exit 0 within ten seconds.
"""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pkgutil import resolve_name
from typing import Any

import click
from granian import Granian
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings

from app import create_app, logs, services
from app import worker as working
from app.mail.delivery import exposure
from config import Settings

GRACE_SECONDS = 8
PATIENCE_SECONDS = 5
STOPPED_BY = (signal.SIGTERM, signal.SIGINT)

HEADERS = HTTP1Settings(header_read_timeout=10_000, max_buffer_size=32 * 1024)
"""Ten seconds for all headers of a request, or for the next request to come; at most 32 KiB of them, and a hundred.
How large a body may be is for each endpoint; how long it may take is for the proxy in front, which has to buffer it."""


class Server(Granian):  # type: ignore[misc, valid-type] # it is one class or another, as Python has a GIL or not
    """Says at once that it was told to stop: the worker beside has the same ten seconds, not ten more."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.stopping = threading.Event()

    def signal_handler_interrupt(self, *args: Any, **kwargs: Any) -> None:
        self.stopping.set()
        super().signal_handler_interrupt(*args, **kwargs)


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=click.IntRange(1, 65535), default=8000, show_default=True)
@click.option("--processes", type=click.IntRange(1), help="Default: 1 on SQLite, else one for each core.")
@click.option("--threads", type=click.IntRange(1), default=8, show_default=True, help="In each process.")
@click.option("--no-worker", is_flag=True, help="Leave letters to `jawel worker`.")
@click.pass_obj
def serve(context: Any, host: str, port: int, processes: int | None, threads: int, no_worker: bool) -> None:
    """Answer requests, with a worker beside."""
    logs.take_over()
    settings = context.settings
    _try_out(host, port)
    on_sqlite = settings.database_url.startswith("sqlite")
    server = Server(
        "wsgi:app",
        address=host,
        port=port,
        interface=Interfaces.WSGI,
        # A proxy in front speaks HTTP/2 with browsers. Here it would be a second set of limits.
        http=HTTPModes.http1,
        http1_settings=HEADERS,
        websockets=False,
        workers=processes or (1 if on_sqlite else os.cpu_count() or 1),
        blocking_threads=threads,
        workers_kill_timeout=GRACE_SECONDS,
        respawn_failed_workers=True,
        log_enabled=False,
    )
    _announce(settings, f"{host}:{port}")
    if context.waits_for_migration():
        click.echo("The schema is not the newest: until `jawel migrate` has run, all answers are 503.", err=True)
    with nullcontext() if no_worker else _worker_beside(server.stopping):
        server.serve(target_loader=_load)


def _load(target: str) -> Any:
    """In each of the processes that answer.

    They are told to stop by SIGTERM from the one that looks after them. With Ctrl-C at the same instant, which reaches
    all processes of a terminal, Granian was seen to wait for ever.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    return resolve_name(target)


@click.command()
@click.option("--once", is_flag=True, help="Do what is due, then exit.")
@click.pass_obj
def worker(context: Any, once: bool) -> None:
    """Deliver letters, purge what is kept no longer. Any number may run at once."""
    logs.take_over()
    app = create_app(context.settings)
    # A resolver may take its time; nothing waits for it but the end of a worker that would have been quicker.
    warning = threading.Thread(target=exposure.warn, args=(context.settings,), name="exposure", daemon=True)
    warning.start()
    try:
        if once:
            working.run_once(app)
            warning.join(PATIENCE_SECONDS)
        else:
            working.run(app, _set_on_signal())
    finally:
        services.of(app).database.dispose()


def _set_on_signal() -> threading.Event:
    stop = threading.Event()
    # A mail server may hold on to a letter for a minute. Then the letter is left to its lease, and goes again under
    # the same Message-ID.
    deadline = threading.Timer(GRACE_SECONDS, os._exit, (0,))
    deadline.daemon = True

    def handle(*_: object) -> None:
        # A second signal would be handled amid the first, and wait for ever for a lock that the first holds.
        for each in STOPPED_BY:
            signal.signal(each, lambda *_: None)
        stop.set()
        deadline.start()

    for each in STOPPED_BY:
        signal.signal(each, handle)
    return stop


def _try_out(host: str, port: int) -> None:
    """Where another program has the port, Granian would tell it in a hundred lines. Sharing it with our own is fine."""
    try:
        family, kind, _protocol, _name, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            trial.bind(address)
    except OSError as error:
        reason = f"{error.strerror}; see --host and --port"
        raise click.ClickException(f"Cannot listen on {host}:{port}: {reason}.") from None


def _announce(settings: Settings, address: str) -> None:
    click.echo(f"Jawel listens on {address}; its links begin with {settings.public_url}/")
    if settings.in_development and settings.mail_server is None:
        click.echo(f"Letters land in {settings.public_url}/mailbox")
    click.echo(f"The API is described at {settings.public_url}/docs")


@contextmanager
def _worker_beside(stopping: threading.Event) -> Iterator[None]:
    """A worker process until `stopping` is set or the block ends, started again should it die."""
    keeper = threading.Thread(target=_keep_worker, args=(stopping,), daemon=True)
    keeper.start()
    try:
        yield
    finally:
        stopping.set()
        keeper.join(GRACE_SECONDS + 1)


def _keep_worker(stopping: threading.Event) -> None:
    # Its process inherits this: Ctrl-C, which reaches all processes of a terminal, is for this one to pass on.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
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
