"""A database that hangs as a whole and goes on, as a machine does that ran out of memory or was moved.

Requests come in all the while. Once the server goes on it serves first whoever asked before: what has not been let go
of by then shuts out everybody, the operator too.
"""

import os
import signal
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import click
import psycopg

from tests import smtp
from tests.commands import Jawel
from tests.postgresql import IN_EARNEST, MortalServer, mortal_server
from trials import stage

NAME = "jawel"
WITHIN_SECONDS = 5.0
"""Of going on, people are served again."""
WATCHED_SECONDS = 10
PEOPLE = 100
"""At once: each waits for up to half a minute."""
CONNECTIONS = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'"


@dataclass(frozen=True, slots=True)
class Plan:
    seconds: float
    requests_a_second: float = 4.0
    max_connections: int = 100


@dataclass
class Outcome:
    plan: Plan
    while_frozen: Counter[int]
    """Requests by the status of their answers; 0: none."""
    sockets: int
    """All that Jawel's processes had open at the end of the freeze, also those of people who waited."""
    operator_after: float | None = None
    """Seconds from going on until the operator is connected; None: not while it was watched."""
    first_success_after: float | None = None
    starts: int = 1
    """Of `jawel serve`: nobody may have to start it again."""
    connections: list[tuple[float, int | None]] = field(default_factory=list)
    """Of the server, so many seconds after it went on; None: it had none left to tell by."""

    def holds(self) -> bool:
        waits = (self.operator_after, self.first_success_after)
        return self.starts == 1 and all(wait is not None and wait <= WITHIN_SECONDS for wait in waits)


@dataclass
class Crowd:
    """People who sign up, so many a second, however long the earlier ones wait."""

    port: int
    answers: list[tuple[float, int]] = field(default_factory=list)

    def first_success_after(self, instant: float) -> float | None:
        return min((at - instant for at, status in self.answers if at > instant and status == 202), default=None)

    def sign_up(self, number: int) -> None:
        status = stage.sign_up(self.port, f"ada@n{number}.example.org").status
        self.answers.append((time.monotonic(), status))


def rehearse(programs: Path, plan: Plan) -> Outcome:
    options = (*IN_EARNEST, f"max_connections={plan.max_connections}")
    with mortal_server(programs, options) as server, smtp.running() as sink, tempfile.TemporaryDirectory() as folder:
        server.execute(f"CREATE DATABASE {NAME}")
        stage.furnish(server.url(NAME))
        jawel, port = Jawel(stage.environment(server.url(NAME), sink.port), Path(folder)), stage.free_port()
        with stage.kept(jawel, "serve", "--port", str(port)) as serve:
            stage.await_answer(port)
            with _crowd(port, plan) as crowd:
                time.sleep(2)
                frozen_at = time.monotonic()
                with frozen(server):
                    time.sleep(plan.seconds)
                    sockets = _sockets(serve)
                gone_on_at = time.monotonic()
                statuses = Counter(status for at, status in list(crowd.answers) if at > frozen_at)
                outcome = Outcome(plan, statuses, sockets)
                _watch(server, outcome, gone_on_at)
                outcome.first_success_after = crowd.first_success_after(gone_on_at)
                outcome.starts = serve.starts
        return outcome


@contextmanager
def frozen(server: MortalServer) -> Iterator[None]:
    """Until it goes on: the postmaster first, so that it starts nobody new."""
    pids = sorted(server.pids(), key=lambda pid: pid != server.postmaster())
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in reversed(pids):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


@contextmanager
def _crowd(port: int, plan: Plan) -> Iterator[Crowd]:
    crowd, stop = Crowd(port), threading.Event()

    def come() -> None:
        number = 0
        with ThreadPoolExecutor(PEOPLE) as people:
            while not stop.wait(1 / plan.requests_a_second):
                people.submit(crowd.sign_up, number)
                number += 1

    coming = threading.Thread(target=come)
    coming.start()
    try:
        yield crowd
    finally:
        stop.set()
        coming.join()


def _watch(server: MortalServer, outcome: Outcome, since: float) -> None:
    while (elapsed := time.monotonic() - since) < WATCHED_SECONDS:
        try:
            with psycopg.connect(server.url(), autocommit=True, connect_timeout=2) as operator:
                found = operator.execute(CONNECTIONS).fetchone()
            if outcome.operator_after is None:
                outcome.operator_after = time.monotonic() - since
            outcome.connections.append((elapsed, found[0] - 1 if found else None))
        except psycopg.OperationalError:
            outcome.connections.append((elapsed, None))
        time.sleep(0.1 if elapsed < 1 else 1)


def _sockets(serve: stage.Kept) -> int:
    """Of Jawel's processes, whatever they lead to."""
    assert serve.process is not None
    group = serve.process.pid
    return sum(_sockets_of(int(each.name)) for each in Path("/proc").glob("[0-9]*") if _group(int(each.name)) == group)


def _group(pid: int) -> int | None:
    with suppress(OSError):
        return os.getpgid(pid)
    return None


def _sockets_of(pid: int) -> int:
    with suppress(OSError):
        return sum(each.readlink().name.startswith("socket:") for each in Path(f"/proc/{pid}/fd").iterdir())
    return 0


@click.command("freeze")
@click.option("--seconds", default=(25.0, 60.0), multiple=True, show_default=True, help="Of the freeze; each in turn.")
@click.option("--max-connections", default=100, show_default=True, help="Of the server.")
@click.option("--requests", default=4.0, show_default=True, help="Signups a second, all the while.")
def trial(seconds: tuple[float, ...], max_connections: int, requests: float) -> None:
    """Freeze PostgreSQL under load, have it go on, look who gets in."""
    programs = stage.postgresql()
    outcomes = [rehearse(programs, Plan(each, requests, max_connections)) for each in seconds]
    for outcome in outcomes:
        _show(outcome)
    if not all(outcome.holds() for outcome in outcomes):
        raise SystemExit(1)


def _show(outcome: Outcome) -> None:
    answers = ", ".join(f"{status or 'none'}: {times:,}" for status, times in sorted(outcome.while_frozen.items()))
    click.echo(f"frozen for {outcome.plan.seconds:g} s, max_connections {outcome.plan.max_connections}")
    click.echo(f"  answers meanwhile       {answers}")
    click.echo(f"  open sockets at its end {outcome.sockets}")
    click.echo(f"  first 202 after         {_seconds(outcome.first_success_after)}")
    click.echo(f"  operator gets in after  {_seconds(outcome.operator_after)}")
    course = ", ".join(f"{'full' if n is None else n} at {at:.1f} s" for at, n in outcome.connections)
    click.echo(f"  connections             {course}")


def _seconds(wait: float | None) -> str:
    return f"not within {WATCHED_SECONDS} s" if wait is None else f"{wait:.2f} s"


if __name__ == "__main__":
    trial()
