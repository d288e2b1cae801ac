"""Whether the time of an answer tells what is known of an address: `POST /subscribe` for each state, in one run.

One request at a time, for another address and from another client each, in random order: so whatever the machine does
meanwhile befalls all states alike. Each state is compared with a new address, at rest and under load. That all do the
same work is for the suite to assert; how long it takes is only looked at here.
"""

import random
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count, islice
from statistics import NormalDist

import click
from sqlalchemy import insert, select, update

from app import suppressions
from app.abuse import recipient_limit
from app.abuse.recipient_limit import RecipientLimit
from app.addresses import EmailAddress
from app.database import Database
from app.outbox import Letter, State
from app.subscriptions.model import Status, Subscriber, Subscription
from app.suppressions import Reason
from benchmarks import busy, load, population, questions

SAMPLES = 400
NEW = "new"
HONEYPOT = "honeypot"
WARM_UP = 100
ENOUGH = 5000
"""People of the population that are left to the run at rest."""
LOADED_SECONDS = 120
"""Under load no longer than this, however few have been asked by then."""

Times = dict[str, list[float]]
"""Seconds of each answer, by state."""


def at_rest(port: int, database: Database, suppression_key: str, samples: int = SAMPLES) -> Times:
    return _ask(port, _arrange(_Arranging(port, database, suppression_key, "rest", 0), samples), LOADED_SECONDS)


def under_load(port: int, database: Database, suppression_key: str, samples: int = SAMPLES) -> Times:
    addresses = _arrange(_Arranging(port, database, suppression_key, "load", ENOUGH), samples)
    with busy.machine(port, 2 * LOADED_SECONDS):
        return _ask(port, addresses, LOADED_SECONDS)


def _ask(port: int, addresses: Mapping[str, Sequence[str]], at_most: float) -> Times:
    turns = [(state, address) for state, each in addresses.items() for address in each]
    random.shuffle(turns)
    warm_up = [questions.signup(f"warm{random.random()}@example.org") for _ in range(WARM_UP)]
    requests = [questions.signup(address, trapped=state == HONEYPOT) for state, address in turns]
    seconds = load.one_by_one(port, _until(time.monotonic() + at_most, [*warm_up, *requests]))[WARM_UP:]
    found: Times = {state: [] for state in addresses}
    for (state, _address), each in zip(turns, seconds, strict=False):
        found[state].append(each)
    return found


def _until(deadline: float, requests: Sequence[bytes]) -> Iterator[bytes]:
    for request in requests:
        if time.monotonic() > deadline:
            return
        yield request


def tell(when: str, times: Mapping[str, Sequence[float]]) -> None:
    click.echo(f"\n{f'POST /subscribe {when}, ms':32}{'p50':>9}{'p90':>9}{'p99':>9}{'longer':>9}{'95 %':>15}{'p':>9}")
    for state, each in times.items():
        shares = "".join(f"{1000 * share:9.2f}" for share in percentiles(each))
        told = "" if state == NEW else _comparison(each, times[NEW])
        click.echo(f"{f'{state} ({len(each)})':32}{shares}{told}")
    medians = [statistics.median(each) for each in times.values()]
    quarters = statistics.quantiles(times[NEW], n=4)
    click.echo(
        f"medians differ by {1000 * (max(medians) - min(medians)):.2f} ms;"
        f" half of the new ones lie within {1000 * (quarters[2] - quarters[0]):.2f} ms of one another"
    )


def _comparison(ours: Sequence[float], others: Sequence[float]) -> str:
    longer, chance = mann_whitney(ours, others)
    margin = NormalDist().inv_cdf(0.975) * _deviation(len(ours), len(others))
    return f"{longer:9.2f}{f'{longer - margin:.2f} to {longer + margin:.2f}':>15}{chance:9.3f}"


def percentiles(times: Sequence[float]) -> list[float]:
    ordered = sorted(times)
    return [ordered[min(len(ordered) - 1, int(share * len(ordered)))] for share in (0.5, 0.9, 0.99)]


def mann_whitney(ours: Sequence[float], others: Sequence[float]) -> tuple[float, float]:
    """How often one of ours takes longer than one of the others, 0.5 where nothing can be told; and how often chance
    alone makes that differ from 0.5 as much (two-sided, normal approximation; clocks this fine leave no ties)."""
    ranked = sorted([*((each, 1) for each in ours), *((each, 0) for each in others)])
    ranks = sum(rank for rank, (_time, is_ours) in enumerate(ranked, 1) if is_ours)
    longer = (ranks - len(ours) * (len(ours) + 1) / 2) / (len(ours) * len(others))
    return longer, 2 * NormalDist().cdf(-abs(longer - 0.5) / _deviation(len(ours), len(others)))


def _deviation(ours: int, others: int) -> float:
    """Of the share of pairs, where both are of one kind."""
    return float(((ours + others + 1) / (12 * ours * others)) ** 0.5)


@dataclass(frozen=True, slots=True)
class _Arranging:
    port: int
    database: Database
    suppression_key: str
    name: str
    """Of the run: each has people of its own."""
    first_settled: int
    """The first of the population that is this run's."""

    def people(self, state: str, samples: int) -> list[str]:
        return [f"{state}-{self.name}{number}@example.org" for number in range(samples)]

    def digests(self, addresses: Sequence[str]) -> list[str]:
        return [EmailAddress.parse(each).digests(self.suppression_key).budget for each in addresses]


def _arrange(run: _Arranging, samples: int) -> dict[str, list[str]]:
    """Addresses in each state. Those who have confirmed are of the population, and are asked for by nothing else."""
    settled = (population.address(number) for number in count(run.first_settled))
    states: dict[str, list[str]] = {
        NEW: run.people("nobody", samples),
        "just asked": run.people("asked", samples),
        "asked before": run.people("before", samples),
        "waiting for another": run.people("waiting", samples),
        "confirmed": list(islice(settled, samples)),
        "confirmed and told": list(islice(settled, samples)),
        "unsubscribed": list(islice(settled, samples)),
        "declined": run.people("declined", samples),
        "budget used up": run.people("bombed", samples),
        HONEYPOT: run.people("trapped", samples),
        "role": [f"abuse@{run.name}{number}.example" for number in range(samples)],
    }
    load.one_by_one(run.port, [questions.signup(each) for each in (*states["just asked"], *states["asked before"])])
    load.one_by_one(run.port, [questions.signup(each, newsletter="events") for each in states["waiting for another"]])
    _pass_the_cool_down(run, states["asked before"])
    _unsubscribe(run.database, states["unsubscribed"])
    _decline(run, states["declined"])
    _spend(run, states["budget used up"], {"confirmations": [int(time.time())] * recipient_limit.CONFIRMATIONS_A_DAY})
    _spend(run, states["confirmed and told"], {"confirmations": [], "told_at": datetime.now(UTC)})
    return states


def _pass_the_cool_down(run: _Arranging, addresses: Sequence[str]) -> None:
    earlier = datetime.now(UTC) - 2 * recipient_limit.COOL_DOWN
    theirs = select(Subscriber.id).where(Subscriber.canonical.in_(addresses))
    with run.database.transaction() as session:
        session.execute(update(Subscription).where(Subscription.subscriber_id.in_(theirs)).values(asked_at=earlier))
        session.execute(update(Letter).where(Letter.subscriber_id.in_(theirs)).values(state=State.SENT))
        budget = update(RecipientLimit).where(RecipientLimit.digest.in_(run.digests(addresses)))
        session.execute(budget.values(confirmations=[int(earlier.timestamp())]))


def _decline(run: _Arranging, addresses: Sequence[str]) -> None:
    with run.database.transaction() as session:
        for each in run.digests(addresses):
            suppressions.suppress(session, each, Reason.DECLINED, since=datetime.now(UTC))


def _spend(run: _Arranging, addresses: Sequence[str], spent: Mapping[str, object]) -> None:
    now = datetime.now(UTC)
    rows = [{"digest": each, "version": 1, "used_at": now, **spent} for each in run.digests(addresses)]
    with run.database.transaction() as session:
        session.execute(insert(RecipientLimit), rows)


def _unsubscribe(database: Database, addresses: Sequence[str]) -> None:
    theirs = select(Subscriber.id).where(Subscriber.canonical.in_(addresses))
    ended = {"status": Status.UNSUBSCRIBED, "ended_as": Status.UNSUBSCRIBED, "ended_at": datetime.now(UTC)}
    with database.transaction() as session:
        session.execute(update(Subscription).where(Subscription.subscriber_id.in_(theirs)).values(ended))
