"""Processes killed at random moments under load: `python -m trials kills --times 200`.

Whatever dies, and in the midst of what: a signup that was answered is there with its evidence, and its letter arrives;
nothing is confirmed without a press; nothing is sent to whom it may not; the log is as if nothing had happened.
"""

import os
import random
import signal
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import click
import psycopg
import time_machine

from app import clock
from app import database as databases
from tests import smtp
from tests.commands import Jawel
from tests.postgresql import MortalServer, mortal_server
from trials import people, stage, verdicts
from trials.people import World
from trials.stage import Kept
from trials.verdicts import Verdict

PEOPLE = 6
PAUSES = (0.1, 1.5)
"""Seconds from when the service answers to the next kill, at least and at most."""
LATER = timedelta(minutes=31)
ROUNDS = 8
"""As many times LATER is how long a letter may take that a killed worker had in hand."""


@dataclass(frozen=True, slots=True)
class Plan:
    engine: str
    times: int
    seed: int
    pauses: tuple[float, float] = PAUSES


@dataclass(frozen=True, slots=True)
class Outcome:
    kills: Counter[str]
    verdict: Verdict


def rehearse(plan: Plan) -> Outcome:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="jawel-kills-")))
        server = _server(plan, stack)
        sink = stack.enter_context(smtp.running())
        url = server.url("jawel") if server else f"sqlite:///{folder / 'jawel.sqlite'}"
        stage.furnish(url)
        jawel, port = Jawel(stage.environment(url, sink.port), folder), stage.free_port()
        key = jawel("keys", "create", "trial", "--scope", "status:read").stdout.strip()
        database = databases.connect(url)
        stack.callback(database.dispose)
        world = World(port, database, jawel.environment["SUPPRESSION_KEY"], key, plan.seed)
        world.receive_from(sink)
        kills = _let_live(plan, jawel, world, server)
        if server:
            await_recovery(server)
        settled = settle(jawel, world)
        audit = jawel("ledger", "audit")
        verdict = verdicts.reach(url, world)
        return Outcome(kills, replace(verdict, audit=audit.exit_code, owed=settled))


def _server(plan: Plan, stack: ExitStack) -> MortalServer | None:
    if plan.engine == "sqlite":
        return None
    server = stack.enter_context(mortal_server(stage.postgresql()))
    server.execute("CREATE DATABASE jawel")
    return server


def _let_live(plan: Plan, jawel: Jawel, world: World, server: MortalServer | None) -> Counter[str]:
    serve = ("serve", "--port", str(world.port), "--processes", "2", "--no-worker")
    with stage.kept(jawel, *serve) as web, stage.kept(jawel, "worker") as worker:
        stage.await_answer(world.port)
        with kept_server(server), crowd(world):
            return _kill(plan, (web, worker), server, world.port)


def _kill(plan: Plan, ours: tuple[Kept, Kept], server: MortalServer | None, port: int) -> Counter[str]:
    chance, kills = random.Random(plan.seed), Counter[str]()
    victims = _victims(*ours, server)
    names = [name for name, (weight, _find) in victims.items() for _ in range(weight)]
    while kills.total() < plan.times:
        # Else most would die while they start, and nobody would be there to be let down.
        stage.await_answer(port)
        time.sleep(chance.uniform(*plan.pauses))
        name = chance.choice(names)
        found = victims[name][1]()
        if found:
            with suppress(ProcessLookupError):
                os.kill(chance.choice(found), signal.SIGKILL)
                kills[name] += 1
    return kills


def _victims(web: Kept, worker: Kept, server: MortalServer | None) -> dict[str, tuple[int, Callable[[], list[int]]]]:
    """How often each is chosen, and where it is found; nobody where it is just being started again."""
    ours: dict[str, tuple[int, Callable[[], list[int]]]] = {
        "web process": (3, web.children),
        "web server": (2, lambda: _alive(web)),
        "worker": (3, lambda: _alive(worker)),
    }
    if server is None:
        return ours
    return {
        **ours,
        "database backend": (2, lambda: _backends(server)),
        "database server": (1, lambda: [server.postmaster()] if server.is_alive() else []),
    }


def _alive(kept: Kept) -> list[int]:
    return [kept.process.pid] if kept.process and kept.process.poll() is None else []


def _backends(server: MortalServer) -> list[int]:
    with suppress(psycopg.OperationalError):
        return [
            int(str(row[0]))
            for row in server.execute("SELECT pid FROM pg_stat_activity WHERE datname = 'jawel' ORDER BY pid")
        ]
    return []


@contextmanager
def kept_server(server: MortalServer | None) -> Iterator[None]:
    """Started again when it dies, as long as the block lasts; at its end it runs."""
    if server is None:
        yield
        return
    stop = threading.Event()

    def watch() -> None:
        while not stop.wait(0.2):
            if not server.is_alive():
                server.start()

    manager = threading.Thread(target=watch)
    manager.start()
    try:
        yield
    finally:
        stop.set()
        manager.join()
        if not server.is_alive():
            server.start()


def await_recovery(server: MortalServer) -> None:
    """A session that was killed last takes all others with it, and for some seconds nobody is let in."""
    deadline = time.monotonic() + stage.PATIENCE_SECONDS
    while time.monotonic() < deadline:
        with suppress(psycopg.OperationalError):
            server.execute("SELECT 1")
            return
        time.sleep(0.1)
    raise RuntimeError("the database does not come back")


@contextmanager
def crowd(world: World) -> Iterator[None]:
    threads = [threading.Thread(target=people.live, args=(world, who)) for who in range(PEOPLE)]
    for each in threads:
        each.start()
    try:
        yield
    finally:
        world.stop.set()
        for each in threads:
            each.join()


def settle(jawel: Jawel, world: World) -> int:
    """Let a worker do what is due, ever later, as the leases of those that were killed run out. Letters still owed."""
    for number in range(ROUNDS):
        with time_machine.travel(clock.now() + number * LATER, tick=True):
            jawel("worker", "--once")
        if not (owed := verdicts.owed(jawel.environment["DATABASE_URL"])):
            return 0
    return owed


@click.command("kills")
@click.option("--times", default=200, show_default=True, help="How often a process is killed.")
@click.option("--engine", type=click.Choice(["sqlite", "postgresql"]), multiple=True, help="Default: both, in turn.")
@click.option("--seed", type=int, help="Of whom, when, and what people do. Default: another one each time.")
def trial(times: int, engine: tuple[str, ...], seed: int | None) -> None:
    """Kill processes at random moments under load, count what is missing."""
    seed = time.time_ns() % 1_000_000 if seed is None else seed
    outcomes = []
    for each in engine or ("sqlite", "postgresql"):
        click.echo(f"{each}, seed {seed}")
        outcome = rehearse(Plan(each, times, seed))
        outcomes.append(outcome)
        click.echo(f"  killed                {', '.join(f'{n} {name}' for name, n in outcome.kills.most_common())}")
        for line in outcome.verdict.lines():
            click.echo(f"  {line}")
    if any(outcome.verdict.faults() for outcome in outcomes):
        raise SystemExit(1)


if __name__ == "__main__":
    trial()
