"""A big purge beside everyday work: requests that nobody confirmed lapse by the thousand while people sign up.

The tables are filled beforehand, and all of it becomes due at once, in the midst of signups at a steady rate. What is
measured is what others notice: how long a signup takes, whether letters leave, how long events wait for their seal, and
how long the service takes to stop while the purge is under way.
"""

import itertools
import random
import signal
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import click

from app import clock
from app import database as databases
from app.database import Database
from app.ledger import sealing
from benchmarks import load, questions, servers
from tests import smtp
from tests.commands import Jawel
from tests.postgresql import running_cluster
from trials import filling, stage
from trials.stage import Kept

ROWS = {"sqlite": 50_000, "postgresql": 1_000_000}
CHUNK_SECONDS = 5
"""Less than the server keeps a connection on which nothing comes."""
LETTERS_WITHIN_SECONDS = 60
LEFT_FOR_THE_STOP = 0.05
"""The service is told to stop when so little is left: in the midst of the purge."""
TIMES_SLOWER = 3
SEALED_WITHIN_SECONDS = 5
STOPPED_LATER_SECONDS = 2
"""In the midst of the purge, than with nothing to do."""


@dataclass(frozen=True, slots=True)
class Plan:
    engine: str
    rows: int
    rate: float
    """Signups a second."""
    quiet_seconds: int
    at_most: timedelta
    """For the purge."""


@dataclass
class Outcome:
    quiet: load.Outcome = field(default_factory=load.Outcome)
    busy: load.Outcome = field(default_factory=load.Outcome)
    """While the purge was under way."""
    asked: dict[str, float] = field(default_factory=dict)
    """When who signed up."""
    arrived: dict[str, float] = field(default_factory=dict)
    purged: int = 0
    left: int = 0
    seconds: float = 0.0
    unsealed_for: float = 0.0
    """The longest that an event waited for its seal, as far as was seen."""
    unsealed: int = 0
    stopped_after: float = 0.0
    idle_stopped_after: float = 0.0

    def faults(self, plan: Plan) -> Iterator[str]:
        if self.busy.percentile(0.99) >= TIMES_SLOWER * self.quiet.percentile(0.99):
            yield f"a signup takes {TIMES_SLOWER} times as long"
        if {*self.quiet.statuses, *self.busy.statuses} != {202}:
            yield "not all signups were taken"
        if self.late():
            yield f"{self.late()} letters left late or not at all"
        if self.unsealed_for > SEALED_WITHIN_SECONDS:
            yield f"events were not sealed within {SEALED_WITHIN_SECONDS} s"
        if self.stopped_after > self.idle_stopped_after + STOPPED_LATER_SECONDS:
            yield f"the service stops {STOPPED_LATER_SECONDS} s later than with nothing to do"
        if self.purged < (1 - LEFT_FOR_THE_STOP) * plan.rows:
            yield "the purge did not get through in time"
        elif not self.left:
            yield "the purge was over before the service was told to stop"

    def waits(self) -> list[float]:
        """How long letters took from the request to the mail server, of those that came."""
        return sorted(self.arrived[who] - asked for who, asked in self.asked.items() if who in self.arrived)

    def late(self) -> int:
        in_time = sum(wait <= LETTERS_WITHIN_SECONDS for wait in self.waits())
        return len(self.asked) - in_time


def purge(plan: Plan) -> Outcome:
    outcome = Outcome()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="jawel-purge-")))
        url = f"sqlite:///{folder / 'jawel.sqlite'}"
        if plan.engine == "postgresql":
            cluster = stack.enter_context(running_cluster(stage.postgresql(), ("shared_buffers=256MB",)))
            url = cluster.url(stack.enter_context(cluster.new_database()))
        stage.furnish(url)
        database = databases.connect(url)
        stack.callback(database.dispose)
        sink = stack.enter_context(smtp.running())
        sink.on_letter = lambda letter: outcome.arrived.setdefault(letter.recipient, time.monotonic())
        jawel, port = Jawel({**stage.environment(url, sink.port), **servers.UNBOUNDED}, folder), stage.free_port()
        with _serving(jawel, port) as process:
            time.sleep(CHUNK_SECONDS)
            outcome.idle_stopped_after = _stop(process)
        due_at = clock.now() + filling.takes(plan.rows) + timedelta(seconds=plan.quiet_seconds + 30)
        filling.fill(database, plan.rows, due_at)
        with _serving(jawel, port) as process:
            _measure(plan, port, database, outcome, due_at.timestamp())
            outcome.stopped_after = _stop(process)
        outcome.purged, outcome.left = filling.purged(database), filling.left(database)
    return outcome


def _measure(plan: Plan, port: int, database: Database, outcome: Outcome, due_at: float) -> None:
    people = _people(outcome)
    _a_chunk(port, people, plan)
    for _ in range(0, plan.quiet_seconds, CHUNK_SECONDS):
        _add(outcome.quiet, _a_chunk(port, people, plan))
    while time.time() < due_at or not filling.purged(database):
        time.sleep(0.2)
    begun = time.monotonic()
    with _watching_seals(database, outcome):
        while filling.purged(database) < (1 - LEFT_FOR_THE_STOP) * plan.rows:
            if time.monotonic() - begun > plan.at_most.total_seconds():
                break
            _add(outcome.busy, _a_chunk(port, people, plan))
    outcome.seconds = time.monotonic() - begun
    # Of the last ones the letters may be on their way.
    deadline = time.monotonic() + 1
    while len(outcome.arrived) < len(outcome.asked) and time.monotonic() < deadline:
        time.sleep(0.05)


def _a_chunk(port: int, people: Iterator[bytes], plan: Plan) -> load.Outcome:
    """Of whole people: nobody is taken up who then is not sent."""
    return load.at_rate(port, itertools.islice(people, int(CHUNK_SECONDS * plan.rate)), CHUNK_SECONDS, plan.rate)


def _people(outcome: Outcome) -> Iterator[bytes]:
    """Each from a network of their own."""
    for number in itertools.count():
        email = f"ada{number}@example.org"
        client = ".".join(str(random.randrange(1, 255)) for _ in range(4))
        fields = {"email": email, "newsletters": "weekly", "consent": True}
        outcome.asked[email] = time.monotonic()
        yield questions.post("/subscribe", fields, f"X-Forwarded-For: {client}\r\n")


def _add(total: load.Outcome, more: load.Outcome) -> None:
    total.latencies += more.latencies
    total.statuses += more.statuses
    total.seconds += more.seconds


@contextmanager
def _watching_seals(database: Database, outcome: Outcome) -> Iterator[None]:
    stop = threading.Event()

    def watch() -> None:
        while not stop.wait(0.25):
            with database.read_only() as connection:
                found = sealing.waiting(connection)
            if found.since is not None:
                outcome.unsealed_for = max(outcome.unsealed_for, (clock.now() - found.since).total_seconds())
            outcome.unsealed = max(outcome.unsealed, found.events)

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        yield
    finally:
        stop.set()
        watching.join()


@contextmanager
def _serving(jawel: Jawel, port: int) -> Iterator[Kept]:
    served = Kept(jawel, ("serve", "--port", str(port)))
    served.start()
    try:
        stage.await_answer(port)
        yield served
    finally:
        click.echo(_troubles(jawel.folder / "serve.log"), nl=False)
        served.stop()
        served.watch()


def _stop(served: Kept) -> float:
    assert served.process is not None
    begun = time.monotonic()
    served.process.send_signal(signal.SIGTERM)
    served.process.wait(stage.PATIENCE_SECONDS)
    return time.monotonic() - begun


def _troubles(log: Path) -> str:
    """What the service said that it should not have to say."""
    lines = log.read_text().splitlines(keepends=True)
    return "".join([line for line in lines if '"error"' in line or '"critical"' in line or "Traceback" in line][:20])


def tell(plan: Plan, outcome: Outcome) -> None:
    waits = outcome.waits() or [0.0]
    click.echo(f"{plan.engine}: {plan.rows:,} requests lapse at once, {plan.rate:g} signups a second beside it")
    for name, measured in (("quiet", outcome.quiet), ("purging", outcome.busy)):
        p50, p99 = (1000 * measured.percentile(share) for share in (0.5, 0.99))
        answers = ", ".join(f"{status}: {number:,}" for status, number in sorted(measured.statuses.items()))
        click.echo(f"  signup, {name:<13} p50 {p50:.1f} ms, p99 {p99:.1f} ms ({answers})")
    click.echo(f"  letters               {len(waits):,} of {len(outcome.asked):,}, the slowest after {waits[-1]:.1f} s")
    click.echo(f"  purged                {outcome.purged:,}, {outcome.purged / outcome.seconds:,.0f} a second")
    click.echo(f"  oldest unsealed event {outcome.unsealed_for:.1f} s; at most {outcome.unsealed:,} unsealed")
    click.echo(f"  stopped after         {outcome.stopped_after:.1f} s, with {outcome.left:,} left")
    click.echo(f"  with nothing to do    {outcome.idle_stopped_after:.1f} s")


@click.command("purge")
@click.option("--rows", type=int, help="Requests that lapse. Default: 50,000 on SQLite, 1,000,000 on PostgreSQL.")
@click.option("--engine", type=click.Choice(["sqlite", "postgresql"]), multiple=True, help="Default: both, in turn.")
@click.option("--rate", default=5.0, show_default=True, help="Signups a second.")
@click.option("--quiet", default=40, show_default=True, help="Seconds to measure before the purge begins.")
@click.option("--minutes", default=10.0, show_default=True, help="That the purge may take.")
def trial(rows: int | None, engine: tuple[str, ...], rate: float, quiet: int, minutes: float) -> None:
    """Let many requests lapse at once, and see who notices."""
    faults: list[str] = []
    for each in engine or ("sqlite", "postgresql"):
        plan = Plan(each, rows or ROWS[each], rate, quiet, timedelta(minutes=minutes))
        outcome = purge(plan)
        tell(plan, outcome)
        faults += [f"{each}: {fault}" for fault in outcome.faults(plan)]
    for fault in faults:
        click.echo(f"DOES NOT HOLD: {fault}", err=True)
    if faults:
        raise SystemExit(1)


if __name__ == "__main__":
    trial()
