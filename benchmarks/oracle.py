"""Whether the time of an answer tells what is known of an address: `POST /subscribe` for each state, in one run.

One request at a time, for another address and from another client each, in random order: so whatever the machine does
meanwhile befalls all states alike. Each state is compared with a new address. That both do the same statements is for
the suite to assert; how long they take is only looked at here.
"""

import random
import statistics
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from statistics import NormalDist

import click
from sqlalchemy import select, update

from app import suppressions
from app.addresses import EmailAddress
from app.database import Database
from app.subscriptions.model import Status, Subscriber, Subscription
from app.suppressions import Reason
from benchmarks import load, population, questions

SAMPLES = 400
NEW = "new"
HONEYPOT = "honeypot"
WARM_UP = 100


def measure(port: int, database: Database, suppression_key: str) -> dict[str, list[float]]:
    """Seconds, by state."""
    addresses = _arrange(port, database, suppression_key)
    turns = [(state, address) for state, each in addresses.items() for address in each]
    random.shuffle(turns)
    warm_up = [questions.signup(f"warm{number}@example.org") for number in range(WARM_UP)]
    requests = [questions.signup(address, trapped=state == HONEYPOT) for state, address in turns]
    seconds = load.one_by_one(port, [*warm_up, *requests])[WARM_UP:]
    found: dict[str, list[float]] = {state: [] for state in addresses}
    for (state, _address), each in zip(turns, seconds, strict=True):
        found[state].append(each)
    return found


def tell(times: Mapping[str, Sequence[float]]) -> None:
    click.echo(f"\n{'POST /subscribe, ms, by state':32}{'p50':>9}{'p90':>9}{'p99':>9}{'longer':>9}{'p':>9}")
    for state, each in times.items():
        shares = "".join(f"{1000 * share:9.2f}" for share in percentiles(each))
        told = "" if state == NEW else "{:9.2f}{:9.3f}".format(*mann_whitney(each, times[NEW]))
        click.echo(f"{f'{state} ({len(each)})':32}{shares}{told}")
    medians = [statistics.median(each) for each in times.values()]
    quarters = statistics.quantiles(times[NEW], n=4)
    click.echo(
        f"medians differ by {1000 * (max(medians) - min(medians)):.2f} ms;"
        f" half of the new ones lie within {1000 * (quarters[2] - quarters[0]):.2f} ms of one another"
    )


def percentiles(times: Sequence[float]) -> list[float]:
    ordered = sorted(times)
    return [ordered[min(len(ordered) - 1, int(share * len(ordered)))] for share in (0.5, 0.9, 0.99)]


def mann_whitney(ours: Sequence[float], others: Sequence[float]) -> tuple[float, float]:
    """How often one of ours takes longer than one of the others, 0.5 where nothing can be told; and how often chance
    alone makes that differ from 0.5 as much (two-sided, normal approximation; clocks this fine leave no ties)."""
    ranked = sorted([*((each, 1) for each in ours), *((each, 0) for each in others)])
    ranks = sum(rank for rank, (_time, is_ours) in enumerate(ranked, 1) if is_ours)
    wins = ranks - len(ours) * (len(ours) + 1) / 2
    pairs = len(ours) * len(others)
    deviation = (pairs * (len(ours) + len(others) + 1) / 12) ** 0.5
    return wins / pairs, 2 * NormalDist().cdf(-abs(wins - pairs / 2) / deviation)


def _arrange(port: int, database: Database, suppression_key: str) -> dict[str, list[str]]:
    """Addresses in each state. Those who have confirmed are of the population, and are asked for by nothing else."""
    settled = [population.address(number) for number in range(2 * SAMPLES)]
    states: dict[str, list[str]] = {
        NEW: _made(lambda number: f"nobody{number}@example.org"),
        "pending": _made(lambda number: f"asked{number}@example.org"),
        "confirmed": settled[:SAMPLES],
        "unsubscribed": settled[SAMPLES:],
        "suppressed": _made(lambda number: f"complained{number}@example.org"),
        HONEYPOT: _made(lambda number: f"trapped{number}@example.org"),
        "role": _made(lambda number: f"abuse@office{number}.example"),
    }
    load.one_by_one(port, [questions.signup(each) for each in states["pending"]])
    _unsubscribe(database, states["unsubscribed"])
    with database.transaction() as session:
        for each in states["suppressed"]:
            digest = EmailAddress.parse(each).digest(suppression_key)
            suppressions.suppress(session, digest, Reason.COMPLAINT, since=datetime.now(UTC))
    return states


def _made(address: Callable[[int], str]) -> list[str]:
    return [address(number) for number in range(SAMPLES)]


def _unsubscribe(database: Database, addresses: Sequence[str]) -> None:
    theirs = select(Subscriber.id).where(Subscriber.canonical.in_(addresses))
    ended = {"status": Status.UNSUBSCRIBED, "ended_as": Status.UNSUBSCRIBED, "ended_at": datetime.now(UTC)}
    with database.transaction() as session:
        session.execute(update(Subscription).where(Subscription.subscriber_id.in_(theirs)).values(ended))
