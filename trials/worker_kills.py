"""Workers killed at random moments at full speed: `python -m trials worker_kills --times 200`.

There are always letters owed, and the mail server takes all at once. Nothing is lost, nobody gets a letter who was
suppressed before; what was accepted and not yet recorded comes again.
"""

import os
import random
import signal
import tempfile
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import click
import time_machine
from sqlalchemy import select

from app import clock
from app import database as databases
from app.database import Database
from app.outbox import Letter, State
from app.subscriptions.model import Subscriber
from app.suppressions import Reason
from app.suppressions import suppress as shut
from benchmarks import postman, servers, sink
from benchmarks.sink import Sink
from tests.commands import Jawel
from trials import stage, verdicts
from trials.stage import Kept

PAUSES = (0.0, 1.0)
"""Seconds from a worker's first record to when it is killed."""
OWED = 4000
SHUT = 5
"""People who complain before each kill, while a letter is owed to them."""
IN_FLIGHT_SECONDS = 3.0
"""A letter that was under way when its address was suppressed may arrive within that time."""
LATER = timedelta(minutes=31)
ROUNDS = 8


@dataclass
class Tally:
    owed: int = 0
    kills: int = 0
    shut_at: dict[str, float] = field(default_factory=dict)
    letters: int = 0
    repeats: int = 0
    most_repeats: int = 0
    """Of one letter."""
    lost: int = 0
    false: int = 0
    """Recorded as sent, and never taken."""
    unwelcome: int = 0
    left: int = 0
    """Still owed in the end."""
    audit: int = 0

    def faults(self) -> int:
        return self.lost + self.false + self.unwelcome + self.left + self.audit


def rehearse(engine: str, times: int, seed: int) -> Tally:
    tally, chance = Tally(), random.Random(seed)
    with (
        tempfile.TemporaryDirectory(prefix="jawel-worker-kills-") as name,
        sink.running() as server,
        stage.furnished(engine, Path(name)) as url,
    ):
        jawel = Jawel(stage.environment(url, server.port) | servers.UNBOUNDED, Path(name))
        database = databases.connect(url)
        with stage.kept(jawel, "worker") as worker:
            while tally.kills < times:
                _refill(database, url, tally)
                _await_work(url)
                time.sleep(chance.uniform(*PAUSES))
                _complain(database, tally)
                _kill(worker, tally)
        _settle(jawel, url)
        _judge(database, server, tally)
        tally.left = verdicts.owed(url)
        tally.audit = jawel("ledger", "audit").exit_code
        database.dispose()
    return tally


def _refill(database: Database, url: str, tally: Tally) -> None:
    """Apart from those that killed workers hold: these are owed too, and nobody may send them before their time."""
    if _free(url) < OWED:
        postman.owe(database, OWED)
        tally.owed += OWED


def _await_work(url: str) -> None:
    """Until the worker records letters: else most would die while they start."""
    before, deadline = _sent(url), time.monotonic() + stage.PATIENCE_SECONDS
    while _sent(url) == before:
        if time.monotonic() > deadline:
            raise SystemExit("The worker sends nothing.")
        time.sleep(0.02)


def _free(url: str) -> int:
    free = "SELECT count(*) FROM letters WHERE state IN ('queued', 'deferred') AND lease IS NULL"
    return int(stage.rows(url, free)[0][0])


def _sent(url: str) -> int:
    return int(stage.rows(url, "SELECT count(*) FROM letters WHERE state = 'sent'")[0][0])


def _complain(database: Database, tally: Tally) -> None:
    """Some of those whose letters are next."""
    with database.transaction() as session:
        waiting = select(Subscriber.address, Subscriber.digest).join(Letter, Letter.subscriber_id == Subscriber.id)
        open_ones = waiting.where(Letter.state == State.QUEUED, Subscriber.address.not_in(tally.shut_at))
        next_ones = open_ones.order_by(Letter.due_at).limit(SHUT)
        people = session.execute(next_ones).all()
        for each in people:
            shut(session, each.digest, Reason.COMPLAINT, since=clock.now())
    tally.shut_at |= {each.address: time.time() for each in people}


def _kill(worker: Kept, tally: Tally) -> None:
    if worker.process and worker.process.poll() is None:
        with suppress(ProcessLookupError):
            os.kill(worker.process.pid, signal.SIGKILL)
            tally.kills += 1


def _settle(jawel: Jawel, url: str) -> None:
    """Let a worker do what is due, ever later, as the leases of those that were killed run out."""
    for number in range(ROUNDS):
        with time_machine.travel(clock.now() + number * LATER, tick=True):
            jawel("worker", "--once")
        if not verdicts.owed(url):
            return


def _judge(database: Database, server: Sink, tally: Tally) -> None:
    taken = server.taken()
    copies = Counter(recipient for recipient, _at in taken)
    tally.letters, tally.repeats = len(taken), len(taken) - len(copies)
    tally.most_repeats = max(copies.values(), default=1) - 1
    tally.unwelcome = sum(at > tally.shut_at.get(who, at) + IN_FLIGHT_SECONDS for who, at in taken)
    with database.read_only() as connection:
        states = select(Subscriber.address, Letter.state).join(Letter, Letter.subscriber_id == Subscriber.id)
        for address, state in connection.execute(states):
            tally.false += state == State.SENT and address not in copies
            tally.lost += state != State.SENT and address not in copies and address not in tally.shut_at


@click.command("worker_kills")
@click.option("--times", default=200, show_default=True, help="How often a worker is killed.")
@click.option("--engine", type=click.Choice(["sqlite", "postgresql"]), multiple=True, help="Default: both, in turn.")
@click.option("--seed", type=int, help="Of when. Default: another one each time.")
def trial(times: int, engine: tuple[str, ...], seed: int | None) -> None:
    """Kill workers at random moments at full speed, count what is missing and what came again."""
    seed = time.time_ns() % 1_000_000 if seed is None else seed
    faults = 0
    for each in engine or ("sqlite", "postgresql"):
        tally = rehearse(each, times, seed)
        faults += tally.faults()
        click.echo(
            f"{each}, seed {seed}: {tally.kills} workers killed; {tally.letters:,} letters taken of {tally.owed:,}, "
            f"{len(tally.shut_at):,} of whose people complained meanwhile; lost {tally.lost}, recorded and never taken"
            f" {tally.false}, to somebody suppressed {tally.unwelcome}, still owed {tally.left}, audit {tally.audit};"
            f" {tally.repeats:,} came again, one of them {tally.most_repeats} times"
        )
    if faults:
        raise SystemExit(1)


if __name__ == "__main__":
    trial()
