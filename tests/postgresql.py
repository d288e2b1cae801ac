"""A throw-away PostgreSQL: a server of our own on a Unix socket, with nothing in it that anyone would miss."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import psycopg
from psycopg import sql

PATIENCE_SECONDS = 30
# Nothing here is worth a wait for the disk.
HASTE = (
    "listen_addresses=",
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
        """The address of a copy of `template`, which nobody may be connected to."""
        name = f"jawel_{next(_numbers)}"
        with self._connect() as connection:
            # Since 15 the default writes every page to the log, which is slower here; before, there was no choice.
            strategy = sql.SQL(" STRATEGY file_copy" if connection.info.server_version >= 150000 else "")
            names = (sql.Identifier(name), sql.Identifier(template))
            connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(*names) + strategy)
        try:
            yield self.url(name)
        finally:
            with self._connect() as connection:
                connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    def _connect(self) -> psycopg.Connection:
        return psycopg.connect(self.url("postgres"), autocommit=True)


@contextmanager
def running_cluster(programs: Path) -> Iterator[Cluster]:
    # Kept short: the path of a Unix socket may not exceed some hundred bytes.
    folder = Path(tempfile.mkdtemp(prefix="jawel-pg-", dir="/tmp"))
    user = _unprivileged_owner(folder)
    _initialise(programs, folder, user)
    server = [programs / "postgres", "-D", folder / "data", "-k", folder]
    settings = [argument for setting in HASTE for argument in ("-c", setting)]
    keeper = subprocess.Popen(
        ["sh", "-c", KEEPER, "keeper", folder, *server, *settings],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=(folder / "log").open("w"),
        start_new_session=True,
        **user,
    )
    cluster = Cluster(folder)
    try:
        _await_answer(cluster, keeper)
        yield cluster
    finally:
        keeper.communicate()
        shutil.rmtree(folder, ignore_errors=True)
