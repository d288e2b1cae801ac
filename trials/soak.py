"""An hour of people with a fault a minute: `python -m trials soak --minutes 60`.

Which fault, when and for how long is drawn by chance. Whatever happens, nothing that was answered is lost, nothing is
mailed twice but for a letter that comes again under its own Message-ID, and in the end no process holds more memory or
descriptors than at the beginning.
"""

import random
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import click

from app import database as databases
from benchmarks import servers
from tests import disks
from tests.commands import Jawel
from tests.disks import Disk
from tests.postgresql import SHORT, MortalServer, mortal_server
from tests.smtp import MailServer
from trials import clocks, faults, kills, stage, verdicts
from trials.faults import LONGEST_SECONDS, SHORTEST_SECONDS, Scene
from trials.people import World
from trials.stage import Kept
from trials.verdicts import Verdict

LOG_DISK_MEGABYTES = 128
RECOVERY_SECONDS = 120
SPARE_DESCRIPTORS, SPARE_MEMORY = 16, 1.5
"""A process may have so many more, and so many times as much, as the largest had after the first fault."""
MEBIBYTE = 2**20


@dataclass(frozen=True, slots=True)
class Plan:
    engine: str
    minutes: float
    seed: int
    every_seconds: float = 60
    longest_seconds: float = LONGEST_SECONDS
    disk_megabytes: int = 2048
    """For the database: people who do nothing else for an hour fill a few hundred."""


@dataclass(frozen=True, slots=True)
class Size:
    """Of the largest process of the service."""

    memory: int
    descriptors: int


@dataclass(frozen=True, slots=True)
class Outcome:
    verdict: Verdict
    recoveries: Mapping[str, list[float]]
    """By fault: seconds from its end to the first signup that was answered 202."""
    sizes: list[Size]
    """Once after each fault, when the service had answered again for a while."""
    without: list[str]
    """What could not be played here."""

    def lines(self) -> Iterator[str]:
        for name, seconds in sorted(self.recoveries.items()):
            yield f"{name:<28}{len(seconds)} times, answered again after {max(seconds):.1f} s at most"
        first, last = self.sizes[0], self.sizes[-1]
        yield f"{'memory':<28}{first.memory / MEBIBYTE:.0f} MiB, in the end {last.memory / MEBIBYTE:.0f} MiB"
        yield f"{'descriptors':<28}{first.descriptors}, in the end {last.descriptors}"
        yield from self.verdict.lines()
        yield from (f"not played: {each}" for each in self.without)

    def has_grown(self) -> bool:
        first, last = self.sizes[0], self.sizes[-1]
        memory, descriptors = first.memory * SPARE_MEMORY, first.descriptors + SPARE_DESCRIPTORS
        return last.memory > memory or last.descriptors > descriptors

    def faults(self) -> int:
        unanswered = sum(seconds >= RECOVERY_SECONDS for each in self.recoveries.values() for seconds in each)
        return self.verdict.faults() + unanswered + self.has_grown()


def rehearse(plan: Plan) -> Outcome:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="jawel-soak-", dir=SHORT)))
        mounted = _disks(plan, stack)
        data, logs = (disk.folder for disk in mounted) if mounted else (SHORT, folder)
        server = _server(plan, data, stack)
        url = server.url("jawel") if server else f"sqlite:///{(data if mounted else folder) / 'jawel.sqlite'}"
        stage.furnish(url)
        mail = MailServer()
        mail.start()
        jawel = Jawel({**stage.environment(url, mail.port), **servers.UNBOUNDED}, logs)
        world = _world(jawel, plan, url, stack)
        world.receive_from(mail)
        clock, follows = clocks.followed(folder)
        web = Kept(Jawel({**jawel.environment, **follows}, jawel.folder), _serve(world.port))
        scene = Scene(world, web, server, mail, random.Random(plan.seed), clock, mounted)
        try:
            recoveries, sizes = _let_live(plan, scene)
            return Outcome(_judge(jawel, scene), recoveries, sizes, _missing(scene))
        finally:
            scene.mail.stop()


def _disks(plan: Plan, stack: ExitStack) -> tuple[Disk, ...]:
    """None at all where we may not mount one."""
    sizes = (plan.disk_megabytes, LOG_DISK_MEGABYTES)
    return tuple(disk for size in sizes if (disk := stack.enter_context(disks.mounted(size))))


def _server(plan: Plan, disk: Path, stack: ExitStack) -> MortalServer | None:
    if plan.engine == "sqlite":
        return None
    server = stack.enter_context(mortal_server(stage.postgresql(), within=disk))
    for statement in ("CREATE DATABASE jawel", "ALTER SYSTEM SET max_wal_size = '64MB'", "SELECT pg_reload_conf()"):
        server.execute(statement)
    return server


def _world(jawel: Jawel, plan: Plan, url: str, stack: ExitStack) -> World:
    key = jawel("keys", "create", "trial", "--scope", "status:read").stdout.strip()
    database = databases.connect(url)
    stack.callback(database.dispose)
    return World(stage.free_port(), database, jawel.environment["SUPPRESSION_KEY"], key, plan.seed)


def _serve(port: int) -> tuple[str, ...]:
    return "serve", "--port", str(port), "--processes", "2"


def _let_live(plan: Plan, scene: Scene) -> tuple[Mapping[str, list[float]], list[Size]]:
    played = faults.playable(scene)
    recoveries: dict[str, list[float]] = defaultdict(list)
    sizes: list[Size] = []
    with stage.keeping(scene.web), kills.kept_server(scene.server):
        stage.await_answer(scene.world.port)
        with kills.crowd(scene.world):
            end = time.monotonic() + plan.minutes * 60
            for number, name in enumerate(_by_chance(scene.chance, list(played))):
                begun = time.monotonic()
                if begun > end:
                    break
                seconds = scene.chance.uniform(SHORTEST_SECONDS, plan.longest_seconds)
                played[name](scene, seconds)
                lasted, recovered = time.monotonic() - begun, _await_success(scene.world.port, number)
                scene.world.diary.accepted.add(_probe(number))
                recoveries[name].append(recovered)
                time.sleep(max(0, begun + plan.every_seconds - time.monotonic()))
                sizes.append(_size(scene.web))
                click.echo(f"  {name:<28}{lasted:5.1f} s, answered again after {recovered:.1f} s", err=True)
    return recoveries, sizes


def _by_chance(chance: random.Random, names: list[str]) -> Iterator[str]:
    """Each once before any comes again."""
    while True:
        chance.shuffle(names)
        yield from names


def _probe(number: int) -> str:
    return f"grace@after{number}.example.org"


def _await_success(port: int, number: int) -> float:
    """Seconds; RECOVERY_SECONDS where there is none."""
    begun = time.monotonic()
    while time.monotonic() < begun + RECOVERY_SECONDS:
        if stage.sign_up(port, _probe(number)).status == 202:
            return time.monotonic() - begun
        time.sleep(0.05)
    return RECOVERY_SECONDS


def _size(web: Kept) -> Size:
    memory, open_files = [0], [0]
    for pid in web.children():
        with suppress(OSError, IndexError):
            memory.append(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096)
            open_files.append(faults.descriptors(pid))
    return Size(max(memory), max(open_files))


def _missing(scene: Scene) -> list[str]:
    lacking = {
        "full disks, as only root can mount one": not scene.disks,
        "clocks, for want of faketime": not scene.clock,
    }
    return [what for what, is_lacking in lacking.items() if is_lacking]


def _judge(jawel: Jawel, scene: Scene) -> Verdict:
    if scene.server:
        kills.await_recovery(scene.server)
    owed = kills.settle(jawel, scene.world)
    audit = jawel("ledger", "audit").exit_code
    verdict = verdicts.reach(jawel.environment["DATABASE_URL"], scene.world)
    return replace(verdict, audit=audit, owed=owed)


@click.command("soak")
@click.option("--minutes", default=60.0, show_default=True, help="For how long.")
@click.option("--engine", type=click.Choice(["sqlite", "postgresql"]), default="postgresql", show_default=True)
@click.option("--seed", type=int, help="Of faults and people. Default: another one each time.")
@click.option("--every", default=60.0, show_default=True, help="Seconds from one fault to the next.")
def trial(minutes: float, engine: str, seed: int | None, every: float) -> None:
    """Let people live for an hour with a fault a minute, count what is missing."""
    seed = time.time_ns() % 1_000_000 if seed is None else seed
    click.echo(f"{engine}, seed {seed}")
    outcome = rehearse(Plan(engine, minutes, seed, every))
    for line in outcome.lines():
        click.echo(f"  {line}")
    if outcome.faults():
        raise SystemExit(1)


if __name__ == "__main__":
    trial()
