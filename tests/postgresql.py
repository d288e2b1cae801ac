"""A throw-away PostgreSQL: a server of our own on a Unix socket, with nothing in it that anyone would miss.

`running_cluster` is one that tests share and leave alone; `mortal_server` is one to kill, to start again, and to have
followed by a standby.
"""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TextIO

import psycopg
from psycopg import sql

PATIENCE_SECONDS = 120
SHORT = Path("/tmp")  # noqa: S108 - the path of a Unix socket may not exceed some hundred bytes
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
# The same for servers that come and go: whichever of them runs at the end is stopped.
GUARD = """read -r _; for file in "$1"/*/data/postmaster.pid; do
    [ -f "$file" ] && pid=$(head -n 1 "$file") && kill -QUIT "$pid"
    for _ in 1 2 3 4 5 6 7 8 9 10; do kill -0 "$pid" || break; sleep 0.1; done
done 2>/dev/null; rm -rf "$1\""""
# As in production, but small.
IN_EARNEST = ("shared_buffers=32MB", "max_connections=60", "log_min_messages=fatal")

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
    _initialise(programs, folder, as_owner)
    server: list[str | Path] = [programs / "postgres", "-D", folder / "data", "-k", folder]
    settings = [argument for setting in ("listen_addresses=", *options) for argument in ("-c", setting)]
    keeper = [*as_owner, "sh", "-c", KEEPER, "sh", folder, *server, *settings]
    with (folder / "log").open("w") as log, _running(keeper, log):
        cluster = Cluster(folder)
        _await_answer(cluster)
        yield cluster


@dataclass(frozen=True, slots=True)
class MortalServer:
    programs: Path
    folder: Path
    as_owner: Sequence[str]
    options: Sequence[str] = IN_EARNEST

    def url(self, name: str = "postgres") -> str:
        return f"postgresql://postgres@/{name}?host={self.folder}"

    def execute(self, statement: str) -> list[tuple[object, ...]]:
        with psycopg.connect(self.url(), autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def start(self) -> None:
        """Also one that was killed. As a service manager does, it leaves nothing of it: a process may wait for another
        that is dead, and would never notice."""
        options = " ".join(f"-c {setting}" for setting in ("listen_addresses=", *self.options))
        deadline = time.monotonic() + PATIENCE_SECONDS
        while self._control("start", "-l", self.folder / "log", "-o", f"-k {self.folder} {options}"):
            if time.monotonic() > deadline:
                raise RuntimeError((self.folder / "log").read_text())
            if not self.is_alive():
                self.kill()
            time.sleep(0.1)

    def is_alive(self) -> bool:
        # Whoever adopted a killed process may take seconds to bury it. Until then it has a number, but no folder.
        try:
            return str(Path(f"/proc/{self.postmaster()}/cwd").readlink()) == self._data
        except (OSError, IndexError):
            return False

    def restart(self, mode: str) -> None:
        """`mode` is pg_ctl's: smart, fast, or immediate."""
        self._control("stop", "-m", mode)
        self.start()

    def kill(self) -> None:
        """As if its machine had lost power: all of its processes at once."""
        for pid in self.pids():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def pids(self) -> list[int]:
        """All of its processes: each has the data for its working directory."""
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if str((process / "cwd").readlink()) == self._data:
                    found.append(int(process.name))
        return found

    @property
    def _data(self) -> str:
        return str(self.folder / "data")

    def postmaster(self) -> int:
        return int((self.folder / "data/postmaster.pid").read_text().split()[0])

    def standby(self) -> "MortalServer":
        """A second server that follows this one, started; this one acknowledges nothing that the other has not."""
        other = MortalServer(self.programs, self.folder.parent / "standby", self.as_owner, self.options)
        other.folder.mkdir()
        _give_away(other.folder)
        copy: list[str | Path] = [self.programs / "pg_basebackup", "-D", other.folder / "data", "-R", "-c", "fast"]
        subprocess.run([*self.as_owner, *copy, "-d", self.url()], cwd=other.folder, check=True)
        other.start()
        for server in (other, self):
            server.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
            server.execute("SELECT pg_reload_conf()")
        deadline = time.monotonic() + PATIENCE_SECONDS
        while self.execute("SELECT sync_state FROM pg_stat_replication") != [("sync",)]:
            if time.monotonic() > deadline:
                raise RuntimeError("the standby does not follow")
            time.sleep(0.05)
        return other

    def promote(self) -> None:
        """Make a standby the primary. It waits for no standby of its own from now on, for there is none."""
        self.execute("ALTER SYSTEM RESET synchronous_standby_names")
        self.execute("SELECT pg_reload_conf()")
        self._control("promote")

    def _control(self, *arguments: str | Path) -> int:
        command: list[str | Path] = [
            *self.as_owner,
            self.programs / "pg_ctl",
            "-D",
            self.folder / "data",
            "-w",
            "-s",
            *arguments,
        ]
        silent = subprocess.DEVNULL
        return subprocess.run(command, cwd=self.folder, stdout=silent, stderr=silent, check=False).returncode


@contextmanager
def mortal_server(programs: Path, options: Sequence[str] = IN_EARNEST, within: Path = SHORT) -> Iterator[MortalServer]:
    """A server, started, with its files `within` a folder; it and its standbys are gone when the block ends or this
    process dies."""
    parent = Path(tempfile.mkdtemp(prefix="jawel-pg-", dir=within))
    as_owner = _give_away(parent)
    server = MortalServer(programs, parent / "primary", as_owner, options)
    server.folder.mkdir()
    _give_away(server.folder)
    _initialise(programs, server.folder, as_owner)
    with (parent / "log").open("w") as log, _running([*as_owner, "sh", "-c", GUARD, "sh", parent], log):
        server.start()
        yield server


def _initialise(programs: Path, folder: Path, as_owner: Sequence[str]) -> None:
    options = ["--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"]
    command: list[str | Path] = [*as_owner, programs / "initdb", *options, folder / "data"]
    subprocess.run(command, cwd=folder, stdout=subprocess.DEVNULL, check=True)


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
