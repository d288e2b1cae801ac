"""A throw-away PostgreSQL: a server of our own on a Unix socket, with nothing in it that anyone would miss."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TextIO

import psycopg
from psycopg import sql

PATIENCE_SECONDS = 30
# For tests, where nothing is worth a wait for the disk.
HASTE = (
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    "wal_level=minimal",
    "max_wal_senders=0",
    "autovacuum=off",
    "shared_buffers=32MB",
)
# The shell reads until this process ends, however it ends, then stops the server and clears up.
KEEPER = 'folder=$1; shift; "$@" & server=$!; read -r _; kill -INT $server; wait $server; rm -rf "$folder"'

_numbers = count(1)


@dataclass(frozen=True, slots=True)
class Cluster:
    folder: Path

    def url(self, name: str) -> str:
        return f"postgresql://postgres@/{name}?host={self.folder}"

    @contextmanager
    def new_database(self, template: str = "template1") -> Iterator[str]:
        """The name of a copy of `template`, which nobody may be connected to."""
        name = f"jawel_{next(_numbers)}"
        with self._connect() as connection:
            # Since 15 the default writes every page to the log, which is slower here; before, there was no choice.
            strategy = sql.SQL(" STRATEGY file_copy" if connection.info.server_version >= 150000 else "")
            names = (sql.Identifier(name), sql.Identifier(template))
            connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(*names) + strategy)
        try:
            yield name
        finally:
            with self._connect() as connection:
                connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    def _connect(self) -> psycopg.Connection:
        return psycopg.connect(self.url("postgres"), autocommit=True)


@contextmanager
def running_cluster(programs: Path, options: Sequence[str] = HASTE) -> Iterator[Cluster]:
    """Start a server, and stop it when the block ends or this process dies."""
    # Kept short: the path of a Unix socket may not exceed some hundred bytes.
    folder = Path(tempfile.mkdtemp(prefix="jawel-pg-", dir="/tmp"))
    as_owner = _give_away(folder)
    initialise = ["--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"]
    subprocess.run(
        [*as_owner, programs / "initdb", *initialise, folder / "data"],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        check=True,
    )
    server: list[str | Path] = [programs / "postgres", "-D", folder / "data", "-k", folder]
    settings = [argument for setting in ("listen_addresses=", *options) for argument in ("-c", setting)]
    keeper = [*as_owner, "sh", "-c", KEEPER, "sh", folder, *server, *settings]
    with (folder / "log").open("w") as log, _running(keeper, log):
        cluster = Cluster(folder)
        _await_answer(cluster)
        yield cluster


def _give_away(folder: Path) -> list[str]:
    """PostgreSQL refuses to run as root: then the folder, and the command prefix, are for its own user."""
    if os.geteuid() != 0:
        return []
    shutil.chown(folder, "postgres", "postgres")
    return ["runuser", "-u", "postgres", "--"]


@contextmanager
def _running(command: Sequence[str | Path], log: TextIO) -> Iterator[None]:
    # A session of its own: Ctrl-C in the terminal is for pytest, which then lets the keeper stop the server.
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True)
    try:
        yield
    finally:
        process.communicate()


def _await_answer(cluster: Cluster) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            psycopg.connect(cluster.url("postgres")).close()
        except psycopg.OperationalError:
            if time.monotonic() > deadline:
                raise RuntimeError((cluster.folder / "log").read_text()) from None
            time.sleep(0.02)
        else:
            return
