"""The two long-running commands, and how they stop.

On SIGTERM or SIGINT both take no new work, finish what is in flight, and exit 0 within ten seconds.
"""

import errno
import os
import resource
import signal
import socket
import threading
from contextlib import nullcontext
from functools import partial
from typing import Any

import click
from granian.constants import HTTPModes, Interfaces, Loops
from granian.http import HTTP1Settings

from app import logs
from app import worker as working
from app.cli import heartbeats, worker_process
from app.cli.web_processes import GRACE_SECONDS, Server, load
from app.mail.delivery import cleartext
from app.resources import resources_of
from app.web.application import create_app
from config import Settings

PATIENCE_SECONDS = 5
STOPPED_BY = (signal.SIGTERM, signal.SIGINT)

HEADERS = HTTP1Settings(header_read_timeout=10_000, max_buffer_size=32 * 1024)
"""Ten seconds for all headers of a request, or for the next request to come; at most 32 KiB of them, and a hundred.
Each endpoint limits the size of a body; the gateway limits its time."""
MOST_CONNECTIONS = 4096
OWN_DESCRIPTORS = 128
"""Reserved for the other descriptors of a process: the database, the log, files that it sends."""


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=click.IntRange(1, 65535), default=8000, show_default=True)
@click.option("--processes", type=click.IntRange(1), help="Default: 1 on SQLite, else one for each core.")
@click.option("--threads", type=click.IntRange(1), default=8, show_default=True, help="In each process.")
@click.option("--no-worker", is_flag=True, help="Leave letters to `jawel worker`.")
@click.option("--share-port", is_flag=True, help="Beside another `serve`, which is to stop.")
@click.pass_obj
def serve(
    context: Any, host: str, port: int, processes: int | None, threads: int, no_worker: bool, share_port: bool
) -> None:
    """Answer requests, with a worker beside."""
    logs.make_streams_safe()
    settings = context.settings
    taken = _take_port(host, port, share_port)
    heartbeats.ignore_signals()
    logs.configure(settings)
    on_sqlite = settings.database_url.startswith("sqlite")
    server = Server(
        "wsgi:app",
        address=host,
        port=port,
        interface=Interfaces.RSGI,
        loop=Loops.uvloop,
        # A proxy in front speaks HTTP/2 with browsers. Here HTTP/2 would need a second set of limits.
        http=HTTPModes.http1,
        http1_settings=HEADERS,
        websockets=False,
        workers=processes or (1 if on_sqlite else os.cpu_count() or 1),
        backpressure=_connections(),
        log_enabled=False,
    )
    _announce(settings, f"{host}:{port}")
    if context.waits_for_migration():
        click.echo("The schema is not the newest: until `jawel migrate` has run, all answers are 503.", err=True)
    with taken, nullcontext() if no_worker else worker_process.beside(server.stopping):
        server.serve(target_loader=partial(load, threads))


@click.command()
@click.option("--once", is_flag=True, help="Do what is due, then exit.")
@click.pass_obj
def worker(context: Any, once: bool) -> None:
    """Deliver letters, purge what is kept no longer. Any number may run at once."""
    logs.make_streams_safe()
    heartbeats.ignore_signals()
    heartbeats.hold_inherited(GRACE_SECONDS)
    app = create_app(context.settings)
    # A resolver may be slow; only the end of a `--once` worker waits for it, up to PATIENCE_SECONDS.
    warning = threading.Thread(target=cleartext.warn, args=(context.settings,), name="exposure", daemon=True)
    warning.start()
    try:
        if once:
            working.run_once(app)
            warning.join(PATIENCE_SECONDS)
        else:
            working.run(app, _set_on_signal())
    finally:
        resources_of(app).database.dispose()


def _set_on_signal() -> threading.Event:
    stop = threading.Event()
    # A mail server may take a minute for a letter. Then the process exits, the lease expires, and the letter is sent
    # again under the same Message-ID.
    deadline = threading.Timer(GRACE_SECONDS, os._exit, (0,))
    deadline.daemon = True

    def handle(*_: object) -> None:
        # A second signal would interrupt this handler, and wait for ever for a lock that this handler holds.
        for each in STOPPED_BY:
            signal.signal(each, lambda *_: None)
        stop.set()
        deadline.start()

    for each in STOPPED_BY:
        signal.signal(each, handle)
    return stop


def _connections() -> int:
    """The most that a process can hold without running out of descriptors; others wait in the kernel's queue."""
    descriptors, _most = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(1, min(MOST_CONNECTIONS, descriptors - OWN_DESCRIPTORS))


def _take_port(host: str, port: int, share_port: bool) -> socket.socket:
    """Held until the end, so that neither another program nor a `serve` without `--share-port` gets the port.

    Each web process has a socket of its own on the port (SO_REUSEPORT), and would share it with any program that sets
    this option. So this socket sets it only once it has the port; programs without it are refused from then on.
    """
    try:
        family, kind, _protocol, _name, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as bound:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, int(share_port))
            bound.bind(address)
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            return bound.dup()
    except OSError as error:
        raise click.ClickException(f"Cannot listen on {host}:{port}: {error.strerror}; {_remedy(error)}.") from None


def _remedy(error: OSError) -> str:
    if error.errno != errno.EADDRINUSE:
        return "see --host and --port"
    return "stop what has the port, or see --port, or --share-port where a `jawel serve` has it that is to stop"


def _announce(settings: Settings, address: str) -> None:
    click.echo(f"Jawel listens on {address}; its links begin with {settings.public_url}/")
    if settings.in_development and settings.mail_server is None:
        click.echo(f"Letters land in {settings.public_url}/mailbox")
    click.echo(f"The API is described at {settings.public_url}/docs")
