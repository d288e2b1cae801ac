"""`make bench`: starts service and floor on PostgreSQL and on SQLite, measures both in turns, prints one table each."""

import os
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import cycle, islice
from pathlib import Path

import click

import config
from app import api_keys, event_macs
from app import database as databases
from app.database import Database, schema
from app.links import Links
from app.newsletters import apply, toml_file
from app.tokens import Signer
from benchmarks import load, log, oracle, population, postman, questions, returned, servers, sink
from benchmarks.load import Outcome
from benchmarks.servers import Server
from tests import machine
from tests.postgresql import running_cluster

SERVICE_PORT, FLOOR_PORT = 8801, 8802
PEOPLE = 10_000
ADDRESSES_A_LOOKUP = 1000
CATALOGUE = Path("newsletters.example.toml")
# The defaults, durable ones among them, but for a cache as large as any real server has.
POSTGRESQL_OPTIONS = ("shared_buffers=256MB",)


@dataclass(frozen=True)
class Bench:
    seconds: float
    rounds: int
    service: Server
    floor: Server
    databases: tuple[Database, Database]
    """Of the service, and of the floor."""
    secret_key: str
    key: str
    env: dict[str, str]


Requests = Callable[[], Iterator[bytes]]


@click.command()
@click.option("--seconds", default=5.0, show_default=True, help="Of each measurement.")
@click.option("--rounds", default=3, show_default=True, help="Service and floor take turns; the median counts.")
@click.option("--entries", default=1_000_000, show_default=True, help="Of the long log that proofs are asked from.")
@click.option("--engine", type=click.Choice(["postgresql", "sqlite"]), multiple=True, default=["postgresql", "sqlite"])
@click.option("--rate", default=450.0, show_default=True, help="Of the signups whose letters are awaited, a second.")
def main(seconds: float, rounds: int, entries: int, engine: tuple[str, ...], rate: float) -> None:
    click.echo(f"{os.cpu_count()} cores, Python {sys.version.split()[0]}, {load.CONNECTIONS} connections,")
    click.echo(f"{rounds} rounds of {seconds:g} s each in turns; {PEOPLE:,} people in the database.")
    for each in engine:
        with ExitStack() as stack:
            urls = stack.enter_context(_two_databases(each))
            click.echo(f"\n# {each}")
            signups = _measure(_set_up(stack, urls, seconds, rounds))
        with _two_databases(each) as urls, ExitStack() as stack:
            _letters(stack, urls[0], rounds, rate)
        with _two_databases(each) as urls, ExitStack() as stack:
            _feedback(stack, urls[0], rounds)
        with _two_databases(each) as urls, ExitStack() as stack:
            _log([_empty(stack, url) for url in urls], entries, signups)


def _measure(bench: Bench) -> float:
    """Signups a second."""
    authorization = f"Authorization: Bearer {bench.key}\r\n"
    click.echo(f"\n{'':32}{'service':>12}{'floor':>12}{'ratio':>9}")
    signup = _compare(bench, "signups/s", questions.signups, questions.signups)
    _confirmations(bench)
    status = _compare(
        bench,
        "status questions/s",
        lambda: questions.statuses(PEOPLE, authorization),
        lambda: questions.statuses(PEOPLE, f"Authorization: {api_keys.digest(bench.key)}\r\n"),
    )
    asked = list(islice(questions.lookups(PEOPLE, authorization, ADDRESSES_A_LOOKUP), 50))
    _compare(bench, "lookups, addresses/s", lambda: cycle(asked), lambda: cycle(asked), ADDRESSES_A_LOOKUP)
    click.echo(f"\n{'latency at half load, ms':32}{'p50':>12}{'p95':>12}{'p99':>9}")
    _latency(bench, "signup", questions.signups, signup / 2)
    _latency(bench, "status question", lambda: questions.statuses(PEOPLE, authorization), status / 2)
    asked_of = (bench.service.port, bench.databases[0], bench.env["SUPPRESSION_KEY"])
    oracle.tell("at rest", oracle.at_rest(*asked_of))
    oracle.tell("under load", oracle.under_load(*asked_of))
    click.echo(f"\n{'':32}{'service':>12}{'floor':>12}{'ratio':>9}")
    _line("memory of a process, MiB", bench.service.memory(), bench.floor.memory())
    _line("start-up, s", bench.service.started_in, bench.floor.started_in)
    return signup


def _log(logs: Sequence[Database], entries: int, signups: float) -> None:
    """The floors are the signups measured before, each of which is one event, and a log that is short."""
    long, short = logs
    with click.progressbar(length=entries, label="Sealing", file=sys.stderr, hidden=not sys.stderr.isatty()) as bar:
        seconds = log.grow(long, entries, bar.update)
    log.grow(short, log.SHORT, lambda _entries: None)
    proofs = [(log.proof_seconds(long), log.proof_seconds(short)) for _ in range(log.TURNS)]
    long_seconds, short_seconds = (statistics.median(column) for column in zip(*proofs, strict=True))
    click.echo(f"\n{'':32}{'events':>12}{'signups':>12}{'ratio':>9}")
    _line("sealed, written, a second", entries / seconds, signups)
    click.echo(f"\n{'':32}{f'of {entries:,}':>12}{f'of {log.SHORT:,}':>12}{'ratio':>9}")
    _line("a proof from a log, µs", 1e6 * long_seconds, 1e6 * short_seconds)


def _compare(bench: Bench, name: str, asked: Requests, of_floor: Requests, each: int = 1) -> float:
    rates: list[tuple[float, float]] = []
    for _ in range(bench.rounds):
        ours = load.saturate(bench.service.port, asked(), bench.seconds)
        floors = load.saturate(bench.floor.port, of_floor(), bench.seconds)
        _insist_on_success(name, ours, floors)
        rates.append((ours.rate * each, floors.rate * each))
    ours_rate, floor_rate = (statistics.median(column) for column in zip(*rates, strict=True))
    spread = [ours / floor for ours, floor in rates]
    _line(name, ours_rate, floor_rate, f"   ({min(spread):.2f} to {max(spread):.2f})")
    return float(ours_rate)


def _confirmations(bench: Bench) -> None:
    """Each round presses the links of people who signed up above, and each of them once."""
    links = Links("", Signer((bench.secret_key,)))
    until = datetime.now(UTC) + timedelta(hours=1)
    ours = [links.confirm(letter, until) for letter, _ in population.pending(bench.databases[0], 4000)]
    floors = [f"/confirm/{subscription.hex}" for _, subscription in population.pending(bench.databases[1], 4000)]
    pressed = load.saturate(bench.service.port, questions.presses(ours), bench.seconds)
    written = load.saturate(bench.floor.port, questions.presses(floors), bench.seconds)
    _insist_on_success("confirmations/s", pressed, written)
    _line("confirmations/s", pressed.rate, written.rate)


def _letters(stack: ExitStack, url: str, rounds: int, rate: float) -> None:
    database = _populate(stack, url)
    env = servers.environment(url, config.fresh_secrets(), 0)
    click.echo(f"\n{'':32}{'worker':>12}{'floor':>12}{'ratio':>9}")
    postman.compare(database, env, rounds)
    postman.end_to_end(env, SERVICE_PORT, rate, lambda told, port: servers.whole_service(told, port, _processes(url)))


def _feedback(stack: ExitStack, url: str, rounds: int) -> None:
    env = servers.environment(url, config.fresh_secrets(), 25)
    click.echo(f"\n{'':32}{'feedback':>12}{'floor':>12}{'ratio':>9}")
    returned.compare(_populate(stack, url), env, rounds)


def _latency(bench: Bench, name: str, requests: Requests, rate: float) -> None:
    outcome = load.at_rate(bench.service.port, requests(), bench.seconds, rate)
    _insist_on_success(name, outcome)
    shares = [1000 * outcome.percentile(share) for share in (0.5, 0.95, 0.99)]
    click.echo(f"{f'{name} at {rate:.0f}/s':32}{shares[0]:12.2f}{shares[1]:12.2f}{shares[2]:9.2f}")


def _line(name: str, ours: float, floors: float, note: str = "") -> None:
    click.echo(f"{name:32}{ours:12,.1f}{floors:12,.1f}{ours / floors:9.2f}{note}")


def _insist_on_success(name: str, *outcomes: Outcome) -> None:
    for outcome in outcomes:
        if failed := {status: number for status, number in outcome.statuses.items() if status >= 300}:
            raise SystemExit(f"{name}: answers with status {failed}; nothing is worth measuring here.")


def _set_up(stack: ExitStack, urls: Sequence[str], seconds: float, rounds: int) -> Bench:
    opened = [_populate(stack, url) for url in urls]
    with opened[0].transaction() as session:
        key = api_keys.create(session, "bench", scopes=[api_keys.Scope.STATUS_READ], newsletters=None)
    with opened[1].transaction() as session:
        session.add(api_keys.ApiKey(name="bench", digest=api_keys.digest(key), scopes=[], created_at=datetime.now(UTC)))
    secrets = config.fresh_secrets()
    env = servers.environment(urls[0], secrets, stack.enter_context(sink.running()).port)
    processes = _processes(urls[0])
    return Bench(
        seconds=seconds,
        rounds=rounds,
        service=stack.enter_context(servers.service(env, SERVICE_PORT, processes)),
        floor=stack.enter_context(servers.floor(urls[1], FLOOR_PORT, processes)),
        databases=(opened[0], opened[1]),
        secret_key=secrets["SECRET_KEYS"],
        key=key,
        env=env,
    )


def _processes(url: str) -> int:
    """More than one only wait for each other's locks on SQLite; `jawel serve` knows that too."""
    return 1 if url.startswith("sqlite") else os.cpu_count() or 1


def _empty(stack: ExitStack, url: str) -> Database:
    database = event_macs.attach_keys(databases.connect(url), [config.fresh_secrets()["SECRET_KEYS"]])
    stack.callback(database.dispose)
    schema.migrate(database)
    return database


def _populate(stack: ExitStack, url: str) -> Database:
    database = _empty(stack, url)
    with database.transaction() as session:
        apply.apply(session, toml_file.load(CATALOGUE)[1])
    population.settle(database, PEOPLE)
    return database


@contextmanager
def _two_databases(engine: str) -> Iterator[tuple[str, str]]:
    with tempfile.TemporaryDirectory(prefix="jawel-bench-") as folder:
        if engine == "sqlite":
            yield f"sqlite:///{folder}/service.sqlite", f"sqlite:///{folder}/floor.sqlite"
            return
        programs = machine.find_or_install(machine.POSTGRESQL)
        if programs is None:
            raise SystemExit("There is no PostgreSQL server here: `apt-get install postgresql`, or --engine sqlite.")
        running = running_cluster(programs, POSTGRESQL_OPTIONS)
        with running as cluster, cluster.new_database() as service, cluster.new_database() as floor:
            yield cluster.url(service), cluster.url(floor)


if __name__ == "__main__":
    main()
