"""The clock of a running service is set, by an hour and by a day, forward and back, while people sign up.

Each of its processes follows a file that says how far its clock is from the true time. The clock of the database stays
as it is, and so does the time that processes measure for themselves.
"""

import json
import os
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import click
from sqlalchemy import update

from app import clock
from app import database as databases
from app.subscriptions.model import Subscription
from tests import smtp
from tests.commands import Jawel
from trials import stage

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
JUMPS = (HOUR, DAY, -HOUR, -DAY)
SOON_DUE = 10
"""Requests that lapse in half an hour: by a clock that was set ahead they have lapsed."""
BUSY = "421 4.3.2 closing"
BETWEEN_SECONDS = 0.5
# Python runs it at the start of each process that finds it.
FOLLOW = """
import os, pathlib, threading, time, time_machine
path = pathlib.Path(os.environ["TRIAL_CLOCK"])
true = time_machine.escape_hatch.time
ahead = float(path.read_text())
moved = time_machine.travel(time.time() + ahead, tick=True).start()

def follow():
    global ahead
    while True:
        time.sleep(0.05)
        said = float(path.read_text() or ahead)
        if said != ahead:
            ahead = said
            moved.move_to(true.time() + ahead)

def begin():
    threading.Thread(target=follow, daemon=True).start()

begin()
os.register_at_fork(after_in_child=begin)
"""


@dataclass
class Outcome:
    statuses: Counter[int] = field(default_factory=Counter)
    accepted: dict[str, float] = field(default_factory=dict)
    """By address: when it was answered 202."""
    arrived: dict[str, float] = field(default_factory=dict)
    repeats: int = 0
    erased: int = 0
    unsealed: int = 0
    audit: int = 0
    said: Counter[str] = field(default_factory=Counter)
    """What the worker said of the clock."""

    @property
    def unmailed(self) -> int:
        return len(self.accepted.keys() - self.arrived.keys())

    @property
    def slowest(self) -> float:
        """Seconds from the answer to the letter."""
        return max((self.arrived[who] - at for who, at in self.accepted.items() if who in self.arrived), default=0)

    def faults(self) -> int:
        return self.unmailed + self.repeats + self.erased + self.unsealed + self.audit


def followed(folder: Path) -> tuple[Path, dict[str, str]]:
    """A file that says how far clocks are off, and the environment of processes that follow it."""
    ahead = folder / "ahead"
    ahead.write_text("0")
    (folder / "sitecustomize.py").write_text(FOLLOW)
    return ahead, {"PYTHONPATH": os.pathsep.join([str(folder), str(Path.cwd())]), "TRIAL_CLOCK": str(ahead)}


@contextmanager
def _service(engine: str, sink: smtp.MailServer) -> Iterator[tuple[Jawel, int, Path]]:
    """`jawel serve` with its worker, and the file that its clocks follow."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url = stack.enter_context(stage.furnished(engine, folder))
        ahead, follows = followed(folder)
        jawel = Jawel({**stage.environment(url, sink.port), **follows, "LOG_FORMAT": "json"}, folder)
        port = stage.free_port()
        stack.enter_context(stage.kept(jawel, "serve", "--port", str(port), "--processes", "1"))
        stage.await_answer(port)
        yield jawel, port, ahead


def rehearse(engine: str, seconds: float) -> Outcome:
    """The clock stays wrong for so long each time."""
    outcome = Outcome()
    with smtp.running() as sink, _service(engine, sink) as (jawel, port, ahead):
        url = jawel.environment["DATABASE_URL"]
        sink.on_letter = lambda letter: _note(outcome, letter.recipient)
        _sign_up(port, outcome, SOON_DUE)
        _await_letters(outcome)
        _let_lapse_soon(url)
        for jump in JUMPS:
            sink.answers_to_rcpt = [BUSY]
            _sign_up(port, outcome, 2)
            set_clock(ahead, jump)
            deadline = time.monotonic() + seconds
            while time.monotonic() < deadline:
                _sign_up(port, outcome, 1)
            set_clock(ahead, timedelta())
            _sign_up(port, outcome, 10)
            _await_letters(outcome)
        time.sleep(BETWEEN_SECONDS * 4)
        outcome.erased = SOON_DUE - stage.rows(url, _STANDING)[0][0]
        outcome.unsealed = stage.rows(url, "SELECT count(*) FROM unsealed_events")[0][0]
        outcome.audit = int(jawel("ledger", "audit").exit_code != 0)
        outcome.said = _said(jawel.folder / "serve.log")
    return outcome


def set_clock(ahead: Path, by: timedelta) -> None:
    new = ahead.with_suffix(".new")
    new.write_text(str(by.total_seconds()))
    new.rename(ahead)


def _note(outcome: Outcome, who: str) -> None:
    outcome.repeats += who in outcome.arrived
    outcome.arrived.setdefault(who, time.monotonic())


def _sign_up(port: int, outcome: Outcome, people: int) -> None:
    for _ in range(people):
        who = f"ada@n{outcome.statuses.total()}.example.org"
        status = stage.sign_up(port, who).status
        outcome.statuses[status] += 1
        if status == 202:
            outcome.accepted[who] = time.monotonic()
        time.sleep(BETWEEN_SECONDS)


def _await_letters(outcome: Outcome) -> None:
    deadline = time.monotonic() + stage.PATIENCE_SECONDS
    while outcome.unmailed and time.monotonic() < deadline:
        time.sleep(0.1)


def _let_lapse_soon(url: str) -> None:
    opened = databases.connect(url)
    soon = clock.now() - DAY + HOUR / 2
    with opened.transaction() as session:
        session.execute(update(Subscription).values(expires_at=soon))
    opened.dispose()


def _said(log: Path) -> Counter[str]:
    lines = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
    about = ("housekeeping.", "letters.called_back")
    return Counter(line["event"] for line in lines if line["event"].startswith(about))


_STANDING = """
    SELECT count(*) FROM subscribers WHERE canonical IN (
        'ada@n0.example.org', 'ada@n1.example.org', 'ada@n2.example.org', 'ada@n3.example.org', 'ada@n4.example.org',
        'ada@n5.example.org', 'ada@n6.example.org', 'ada@n7.example.org', 'ada@n8.example.org', 'ada@n9.example.org'
    )
"""


@click.command("clocks")
@click.option("--seconds", default=70.0, show_default=True, help="For how long the clock is wrong, each time.")
@click.option("--engine", type=click.Choice(["sqlite", "postgresql"]), multiple=True, help="Default: both, in turn.")
def trial(seconds: float, engine: tuple[str, ...]) -> None:
    """Set the clock forward and back under signups, count what is late, missing or erased."""
    faults = 0
    for each in engine or ("sqlite", "postgresql"):
        outcome = rehearse(each, seconds)
        faults += outcome.faults()
        click.echo(f"{each}: an hour and a day, forward and back, {seconds:.0f} s each")
        click.echo(f"  answers               {dict(outcome.statuses)}")
        for name in ("unmailed", "repeats", "erased", "unsealed", "audit"):
            click.echo(f"  {name:<22}{getattr(outcome, name):,}")
        click.echo(f"  slowest letter        {outcome.slowest:.1f} s")
        click.echo(f"  said                  {dict(outcome.said)}")
    if faults:
        raise SystemExit(1)


if __name__ == "__main__":
    trial()
