"""Many letters owed, and people who sign up beside them: how long they wait for theirs.

Once the backlog is of old letters, as after an outage; once of confirmations that are as new as theirs, as in a flood
for another newsletter.
"""

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import click

from app import database as databases
from app.newsletters import apply
from benchmarks import servers
from tests import smtp
from tests.commands import Jawel
from tests.postgresql import running_cluster
from trials import stage, verdicts

WITHIN_SECONDS = 20.0
PAUSE_SECONDS = 0.5
AGES = {"old": "2 hours", "new": "2 minutes"}
"""Of the backlog's letters at the start."""
# Nobody's log: this is about letters only.
OWED = """
    WITH numbers AS (SELECT n, gen_random_uuid() AS person, gen_random_uuid() AS subscription,
            gen_random_uuid() AS letter, now() - interval '{age}' + n * interval '1 millisecond' AS at
        FROM generate_series(1, {letters}) AS n),
    people AS (INSERT INTO subscribers
            (id, address, canonical, digest, mailbox_digest, language, commitment_key, created_at)
        SELECT person, 'ada' || n || '@example.org', 'ada' || n || '@example.org', md5('a' || n), md5('m' || n), 'en',
            md5('k' || n), at FROM numbers),
    letters AS (INSERT INTO letters
            (id, kind, subscriber_id, language, about, state, created_at, due_at, attempts, state_at)
        SELECT letter, 'confirmation', person, 'en', json_build_object(subscription, 'nonce'), 'queued', at, at, 0, at
        FROM numbers)
    INSERT INTO subscriptions
            (id, subscriber_id, newsletter, status, since, version, nonce, letter_id, asked_at, expires_at)
        SELECT subscription, person, 'weekly', 'pending', at, 1, 'nonce', letter, at, at + interval '3 days'
        FROM numbers
"""


@dataclass
class Outcome:
    waits: list[float] = field(default_factory=list)
    """Seconds from the answer to a signup until its letter arrived."""
    unmailed: int = 0
    """Signups whose letter did not arrive while it was watched."""
    before: int = 0
    after: int = 0
    """Letters of the backlog that were owed at the start, and in the end."""
    seconds: float = 0.0

    def holds(self) -> bool:
        return not self.unmailed and max(self.waits) <= WITHIN_SECONDS and self.after < self.before


def rehearse(programs: Path, letters: int, age: str, seconds: float) -> Outcome:
    with running_cluster(programs) as cluster, cluster.new_database() as name, smtp.running() as sink:
        url, arrived = cluster.url(name), {}
        sink.on_letter = lambda letter: arrived.update({letter.recipient: time.monotonic()})
        _furnish(url, letters, age)
        with tempfile.TemporaryDirectory() as folder:
            jawel = Jawel({**stage.environment(url, sink.port), **servers.UNBOUNDED, "SEND_RATE": "0"}, Path(folder))
            port = stage.free_port()
            with stage.kept(jawel, "serve", "--port", str(port), "--processes", "1"):
                stage.await_answer(port)
                with _measured(url) as outcome:
                    asked = _people_come(port, seconds)
                    time.sleep(WITHIN_SECONDS)
                    _note(outcome, asked, arrived)
        return outcome


def _furnish(url: str, letters: int, age: str) -> None:
    stage.furnish(url)
    catalogue = deepcopy(stage.CATALOGUE)
    catalogue["newsletter"].append({**catalogue["newsletter"][0], "slug": "monthly", "frequency": "monthly"})
    opened = databases.connect(url)
    with opened.transaction() as session:
        apply.apply(session, catalogue)
    with opened.writer.connect() as connection:
        connection.exec_driver_sql(OWED.format(age=age, letters=letters))
        connection.exec_driver_sql("ANALYZE")
    opened.dispose()


@contextmanager
def _measured(url: str) -> Iterator[Outcome]:
    outcome, begun = Outcome(before=verdicts.owed(url)), time.monotonic()
    yield outcome
    outcome.after, outcome.seconds = verdicts.owed(url), time.monotonic() - begun


def _people_come(port: int, seconds: float) -> dict[str, float]:
    """When each was answered."""
    answered: dict[str, float] = {}
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        email = f"grace{len(answered)}@example.org"
        fields = {"email": email, "newsletters": "monthly", "consent": True}
        if stage.ask(port, "POST", "/subscribe", fields=fields).status != 202:
            raise SystemExit("A signup is refused.")
        answered[email] = time.monotonic()
        time.sleep(PAUSE_SECONDS)
    return answered


def _note(outcome: Outcome, asked: dict[str, float], arrived: dict[str, float]) -> None:
    # A letter may be there before the answer is.
    outcome.waits = [max(0.0, arrived[email] - when) for email, when in asked.items() if email in arrived]
    outcome.unmailed = len(asked) - len(outcome.waits)


@click.command("backlog")
@click.option("--letters", default=100_000, show_default=True, help="Owed at the start.")
@click.option("--seconds", default=30.0, show_default=True, help="For which people sign up, one each half second.")
def trial(letters: int, seconds: float) -> None:
    """Owe many letters, sign up beside them, look how long a new letter waits."""
    programs, outcomes = stage.postgresql(), []
    for name, age in AGES.items():
        outcome = rehearse(programs, letters, age, seconds)
        outcomes.append(outcome)
        click.echo(f"{letters:,} {name} letters owed for another newsletter")
        click.echo(f"  people beside them        {len(outcome.waits) + outcome.unmailed}")
        click.echo(f"  without a letter          {outcome.unmailed}")
        if outcome.waits:
            click.echo(f"  letter arrived after      {median(outcome.waits):.2f} s, at most {max(outcome.waits):.2f} s")
        gone = outcome.before - outcome.after
        click.echo(f"  of the backlog meanwhile  {gone:,} gone, {gone / outcome.seconds:.0f} a second")
    if not all(outcome.holds() for outcome in outcomes):
        raise SystemExit(1)


if __name__ == "__main__":
    trial()
