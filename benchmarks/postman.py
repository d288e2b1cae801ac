"""How many letters a second leave: one worker, and the least that could hand over the same.

The floor is smtplib with a letter as long as a confirmation letter, over one connection, again and again.
"""

import secrets
import smtplib
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import click
from sqlalchemy import func, insert, select

from app.database import Database
from app.outbox import Letter, LetterKind, State
from app.subscriptions.model import Status, Subscriber, Subscription
from benchmarks import load, questions, sink
from benchmarks.load import Outcome
from benchmarks.servers import BIN, UNBOUNDED, Server
from tests import machine
from tests.postfix import postfix_with

DELAY_SECONDS = 0.02
CONNECTIONS = 4
"""The default of MAIL_CONNECTIONS."""
DOMAINS = 50
END_TO_END_SECONDS = 20.0
BEHIND_SECONDS = 5.0
PATIENCE_SECONDS = 300


@dataclass(frozen=True, slots=True)
class Round:
    """What is compared: letters to a server, and how many connections of the floor it is held against."""

    name: str
    server: Callable[[], AbstractContextManager[int]]
    letters: int
    floors: int = 1


DISCARDS = """
default_transport = discard
smtpd_peername_lookup = no
smtpd_client_connection_rate_limit = 0
"""
"""For a Postfix that queues each letter to disk before it takes it, and then throws it away."""


@contextmanager
def _postfix() -> Iterator[int]:
    program = machine.find_or_install(machine.POSTFIX)
    if program is None:
        raise SystemExit("There is no Postfix here: `apt-get install postfix`.")
    with postfix_with(program, DISCARDS) as running:
        yield running.port


@contextmanager
def _sink(delay: float) -> Iterator[int]:
    with sink.running(delay) as server:
        yield server.port


ROUNDS = (
    Round("letters/s, into a sink", lambda: _sink(0.0), 3000),
    Round("letters/s, into Postfix", _postfix, 1000),
    Round(f"letters/s, {DELAY_SECONDS * 1000:g} ms a reply", lambda: _sink(DELAY_SECONDS), 400, CONNECTIONS),
)


def compare(database: Database, env: Mapping[str, str], rounds: int) -> None:
    """One worker with its CONNECTIONS against the floor with one, in turns; for a slow server, against as many."""
    for each in ROUNDS:
        with each.server() as port:
            rates = [(_worker(database, env, port, each.letters), _floor(port, each)) for _ in range(rounds)]
        ours, floors = (statistics.median(column) for column in zip(*rates, strict=True))
        spread = [mine / floor for mine, floor in rates]
        click.echo(
            f"{each.name:32}{ours:12,.1f}{floors:12,.1f}{ours / floors:9.2f}   ({min(spread):.2f} to {max(spread):.2f})"
        )


def _worker(database: Database, env: Mapping[str, str], port: int, letters: int) -> float:
    """Letters a second, counted from the first that was recorded as sent to the last: start-up is another figure."""
    since = datetime.now(UTC)
    owe(database, letters)
    told = {**env, **UNBOUNDED, "MAIL_PORT": str(port)}
    worker = subprocess.Popen([BIN / "jawel", "worker"], env=told, stdout=subprocess.DEVNULL)
    try:
        while (sent := _sent(database, since))[2] < letters:
            if worker.poll() is not None or time.time() > since.timestamp() + PATIENCE_SECONDS:
                raise SystemExit(f"Only {sent[2]} of {letters} letters left.")
            time.sleep(0.2)
    finally:
        worker.terminate()
        worker.wait()
    first, last, number = sent
    return float(number / (_instant(last) - _instant(first)).total_seconds())


def _sent(database: Database, since: datetime) -> tuple[datetime, datetime, int]:
    with database.read_only() as connection:
        sent = select(func.min(Letter.state_at), func.max(Letter.state_at), func.count())
        first, last, number = connection.execute(
            sent.where(Letter.state == State.SENT, Letter.created_at >= since)
        ).one()
        return first, last, number


def _floor(port: int, compared: Round) -> float:
    content = _letter()
    letters = max(50, compared.letters // compared.floors)
    with smtplib.SMTP("127.0.0.1", port) as host:
        start = time.perf_counter()
        for _ in range(letters):
            host.sendmail("news@example.org", ["ada@example.org"], content)
        return compared.floors * letters / (time.perf_counter() - start)


def _letter() -> bytes:
    """As long as a confirmation letter on the wire."""
    head = "From: Voorbeeld <news@example.org>\r\nTo: ada@example.org\r\nSubject: Please confirm\r\n"
    lines = ["x" * 70] * 39
    return (head + "\r\n" + "\r\n".join(lines) + "\r\n").encode()


def end_to_end(
    env: Mapping[str, str], port: int, rate: float, start: Callable[..., AbstractContextManager[Server]]
) -> None:
    """Signups at a steady rate, with the worker running beside; a signup counts once the sink has its letter."""
    with sink.running() as taking:
        told = {**env, **UNBOUNDED, "MAIL_PORT": str(taking.port)}
        with start(told, port):
            people = [f"e{secrets.token_hex(8)}@d{number % DOMAINS}.example.org" for number in range(int(rate * 25))]
            asked_at: dict[str, float] = {}
            outcome = load.at_rate(port, _asking(people, asked_at), END_TO_END_SECONDS, rate)
            ended = time.time()
            time.sleep(BEHIND_SECONDS)
        taken = dict(taking.taken())
    _tell(outcome, asked_at, taken, ended)


def _asking(people: list[str], asked_at: dict[str, float]) -> Iterator[bytes]:
    """Notes when each is asked: the load takes the next request when it has sent the one before."""
    last = None
    for person in people:
        if last:
            asked_at[last] = time.time()
        last = person
        yield questions.signup(person)


def _tell(outcome: Outcome, asked_at: Mapping[str, float], taken: Mapping[str, float], ended: float) -> None:
    in_time = sum(instant <= ended for instant in taken.values())
    waits = sorted(taken[who] - at for who, at in asked_at.items() if who in taken)
    p50, p99 = (1000 * waits[int(share * (len(waits) - 1))] for share in (0.5, 0.99))
    click.echo(
        f"end to end, {outcome.seconds:.0f} s: {len(outcome.latencies):,} signups answered ({outcome.rate:.0f}/s), "
        f"{in_time:,} of their letters taken by then ({in_time / outcome.seconds:.0f}/s), {len(waits):,} "
        f"{BEHIND_SECONDS:g} s later; from POST to letter p50 {p50:.0f} ms, p99 {p99:.0f} ms"
    )


def owe(database: Database, letters: int) -> None:
    """To as many people, of DOMAINS domains, who have just asked for the newsletter `weekly`."""
    people = [_pending(number) for number in range(letters)]
    with database.transaction() as session:
        for model, rows in zip((Subscriber, Letter, Subscription), zip(*people, strict=True), strict=True):
            session.execute(insert(model), rows)


def _pending(number: int) -> tuple[dict[str, object], dict[str, object], dict[str, object]]:
    now = datetime.now(UTC)
    subscriber, letter, subscription = uuid4(), uuid4(), uuid4()
    key, nonce = secrets.token_hex(32), secrets.token_hex(16)
    address = f"p{secrets.token_hex(8)}@d{number % DOMAINS}.example.org"
    who = {"id": subscriber, "address": address, "canonical": address, "digest": key, "mailbox_digest": key}
    owed = {"id": letter, "subscriber_id": subscriber, "language": "en", "kind": LetterKind.CONFIRMATION}
    asked = {"id": subscription, "subscriber_id": subscriber, "newsletter": "weekly", "status": Status.PENDING}
    return (
        who | {"language": "en", "commitment_key": key, "created_at": now},
        owed
        | {"about": {str(subscription): nonce}, "form_id": secrets.token_hex(16), "state": State.QUEUED}
        | {"deliveries": 0, "created_at": now, "due_at": now, "state_at": now},
        asked
        | {"since": now, "version": 1, "nonce": nonce, "letter_id": letter, "asked_at": now}
        | {"expires_at": now + timedelta(hours=72)},
    )


def _instant(value: datetime | str) -> datetime:
    return datetime.fromisoformat(value) if isinstance(value, str) else value.astimezone(UTC)
