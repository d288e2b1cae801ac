"""Bombing: many clients ask for many newsletters on behalf of one victim, while honest people sign up beside them.

No client, network or form is asked so often that a rate limit sees anything: only the mail budget of the address is
left to protect it. The clock is real, so letters that are owed for later in the day are counted where they wait.
"""

import json
import os
import random
import re
import statistics
import threading
import time
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import click
from sqlalchemy import func, select

import config
from app import database as databases
from app.abuse.recipient_limit import CONFIRMATIONS_A_DAY
from app.database import Database, schema
from app.newsletters import apply
from app.outbox import Letter
from app.subscriptions.model import Subscriber
from benchmarks import load, questions, servers
from tests import smtp
from tests.postgresql import running_cluster
from trials import stage

VICTIM = "victim@example.org"
CATALOGUE = Path("newsletters.example.toml")
PATIENCE_SECONDS = 60
WITHOUT_END = float("inf")
LINK = re.compile(r"^https://subscribe\.example\.org(/confirm/\S+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Scale:
    signups: int
    newsletters: int
    prefixes: int
    seconds_between_people: float


@dataclass
class Outcome:
    statuses: Counter[int] = field(default_factory=Counter)
    """How the bombers were answered."""
    seconds: float = 0.0
    to_victim: int = 0
    """Letters that arrived."""
    owed_to_victim: int = 0
    """Letters that arrived or are to arrive later."""
    asked: dict[str, float] = field(default_factory=dict)
    """Honest people, and how many seconds they waited for an answer."""
    refused: int = 0
    confirmed: set[str] = field(default_factory=set)

    def faults(self) -> list[str]:
        found = []
        if self.owed_to_victim > CONFIRMATIONS_A_DAY:
            found.append(f"the victim is owed {self.owed_to_victim} letters: more than {CONFIRMATIONS_A_DAY}")
        if self.statuses[202] == 0 or not self.asked:
            found.append("nobody was answered")
        if lost := len(self.asked) - len(self.confirmed):
            found.append(f"{lost} honest people got no letter, or could not confirm")
        return found


@click.command()
@click.option("--signups", default=100_000, show_default=True, help="For the victim.")
@click.option("--newsletters", default=1_000, show_default=True)
@click.option("--prefixes", default=8_000, show_default=True, help="Networks (/24) that they come from.")
def trial(signups: int, newsletters: int, prefixes: int) -> None:
    """Many signups for one victim: it gets its budget, and honest people get through."""
    scale = Scale(signups, newsletters, prefixes, seconds_between_people=0.5)
    with running_cluster(stage.postgresql(), ("shared_buffers=256MB",)) as cluster, cluster.new_database() as name:
        outcome = bomb(scale, cluster.url(name), os.cpu_count() or 1)
    tell(scale, outcome)
    if faults := outcome.faults():
        raise click.ClickException("; ".join(faults))


def bomb(scale: Scale, database_url: str, processes: int) -> Outcome:
    """On an empty database, or one with the newest schema."""
    outcome = Outcome()
    _prepare(database_url, scale.newsletters)
    port = stage.free_port()
    with smtp.running() as mail:
        env = servers.environment(database_url, config.fresh_secrets(), mail.port)
        with servers.whole_service(env | {"RATE_LIMIT_FORM": "600"}, port, processes):
            people = _People(port, mail, outcome, scale)
            bombers = threading.Thread(target=_bombard, args=(port, scale, outcome))
            bombers.start()
            while bombers.is_alive():
                people.sign_one_up()
                people.confirm_what_came()
                time.sleep(scale.seconds_between_people)
            bombers.join()
            people.see_it_through()
        outcome.to_victim = sum(each.recipient.lower() == VICTIM for each in mail.letters)
    outcome.owed_to_victim = _owed_to_victim(database_url)
    return outcome


def tell(scale: Scale, outcome: Outcome) -> None:
    waited = sorted(outcome.asked.values())
    click.echo(
        f"{scale.signups:,} signups for one victim: {scale.newsletters:,} newsletters, {scale.prefixes:,} networks"
    )
    for status, number in sorted(outcome.statuses.items()):
        click.echo(f"  answered with {status}: {number:,}")
    click.echo(f"  in {outcome.seconds:.0f} s, {sum(outcome.statuses.values()) / outcome.seconds:.0f} a second")
    click.echo(f"letters to the victim: {outcome.to_victim} so far, {outcome.owed_to_victim} in the day")
    click.echo(f"honest people beside it: {len(outcome.asked)}, of whom {outcome.refused} were refused")
    click.echo(f"  confirmed from their letter: {len(outcome.confirmed)}")
    click.echo(
        f"  answered in {1000 * statistics.median(waited):.1f} ms in the median, {1000 * waited[-1]:.1f} at most"
    )


def _prepare(database_url: str, newsletters: int) -> None:
    with _opened(database_url) as database:
        schema.migrate(database)
        with database.transaction() as session:
            apply.apply(session, catalogue(newsletters))


def catalogue(newsletters: int) -> dict[str, Any]:
    """The example's controller, and so many newsletters in English."""
    example = tomllib.loads(CATALOGUE.read_text(encoding="utf-8"))
    model = example["newsletter"][0]
    words = {key: {"en": model[key]["en"]} for key in ("title", "purpose", "consent")}
    each = {**model, **words, "languages": ["en"]}
    return {**example, "newsletter": [{**each, "slug": _slug(number)} for number in range(newsletters)]}


def _slug(number: int) -> str:
    return f"letter-{number}"


def _bombard(port: int, scale: Scale, outcome: Outcome) -> None:
    answered = load.saturate(port, _bombs(scale), WITHOUT_END)
    outcome.statuses, outcome.seconds = answered.statuses, answered.seconds


def _bombs(scale: Scale) -> Iterator[bytes]:
    """Each newsletter and each network in turn, so that no two in a row have anything in common but the victim."""
    for number in range(scale.signups):
        network = number % scale.prefixes
        client = f"10.{network // 256}.{network % 256}.{random.randrange(1, 255)}"
        spelling = "".join(random.choice((letter.upper(), letter)) for letter in VICTIM)
        fields = {"email": spelling, "newsletters": [_slug(number % scale.newsletters)], "consent": True}
        yield questions.post("/subscribe", fields, f"X-Forwarded-For: {client}\r\n")


class _People:
    """Honest ones: each signs up for one newsletter from a network of their own, waits for the letter, and confirms."""

    def __init__(self, port: int, mail: smtp.MailServer, outcome: Outcome, scale: Scale) -> None:
        self._port = port
        self._mail = mail
        self._outcome = outcome
        self._scale = scale
        self._read = 0

    def sign_one_up(self) -> None:
        number = len(self._outcome.asked)
        address = f"reader{number}@example.org"
        fields = {"email": address, "newsletters": _slug(random.randrange(self._scale.newsletters)), "consent": True}
        begun = time.perf_counter()
        status = self._post("/subscribe", fields, _network_of(number))
        self._outcome.asked[address] = time.perf_counter() - begun
        self._outcome.refused += status != 202

    def confirm_what_came(self) -> None:
        for letter in self._mail.letters[self._read :]:
            self._read += 1
            if letter.recipient in self._outcome.asked:
                link = LINK.search(letter.part("plain"))
                if link and self._post(link[1], {}, _network_of(self._read)) == 200:
                    self._outcome.confirmed.add(letter.recipient)

    def see_it_through(self) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while len(self._outcome.confirmed) < len(self._outcome.asked) and time.monotonic() < deadline:
            self.confirm_what_came()
            time.sleep(0.1)

    def _post(self, path: str, fields: Mapping[str, object], client: str) -> int:
        headers = {"Content-Type": "application/json", "X-Forwarded-For": client}
        request = Request(f"http://127.0.0.1:{self._port}{path}", json.dumps(fields).encode(), headers)
        try:
            with urlopen(request, timeout=PATIENCE_SECONDS) as answer:
                return int(answer.status)
        except HTTPError as error:
            return error.code


def _network_of(number: int) -> str:
    return f"172.{16 + number // 256 % 16}.{number % 256}.1"


def _owed_to_victim(database_url: str) -> int:
    with _opened(database_url) as database, database.read_only() as connection:
        owed = select(func.count()).select_from(Letter).join(Subscriber, Subscriber.id == Letter.subscriber_id)
        return connection.scalar(owed.where(Subscriber.canonical == VICTIM)) or 0


@contextmanager
def _opened(url: str) -> Iterator[Database]:
    database = databases.connect(url)
    try:
        yield database
    finally:
        database.dispose()
