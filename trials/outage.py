"""A day without a mail server: people sign up all the while, and then it is back.

The clock is moved, so a day takes seconds. Web application and worker run in this process; database and mail server
are real.
"""

import logging
import os
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import click
import structlog
import time_machine
from flask import Flask

import config
from app import clock
from app.mail import order as turns
from app.mail.circuit_breaker import CircuitBreaker
from app.mail.dispatch import Dispatcher
from app.resources import resources_of
from app.web.application import create_app
from app.worker import mail_loop
from benchmarks import servers
from tests import smtp
from trials import stage

A_DAY = timedelta(days=1)
STEP = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
APART = timedelta(milliseconds=10)
"""Letters that are owed at the same instant have no order."""


@dataclass(frozen=True, slots=True)
class Plan:
    signups: int
    letters_a_minute: int
    looks: int = 288
    """How often the worker looks while the server is away: it rests for up to five minutes."""


@dataclass
class Outcome:
    signed_up: list[str] = field(default_factory=list)
    """In that order."""
    arrivals: list[tuple[datetime, str]] = field(default_factory=list)

    @property
    def busiest_minute(self) -> int:
        times = [at for at, _who in self.arrivals]
        return max((sum(begin <= at < begin + MINUTE for at in times) for begin in times), default=0)

    @property
    def missing(self) -> int:
        return len({*self.signed_up} - {who for _at, who in self.arrivals})

    @property
    def repeats(self) -> int:
        return len(self.arrivals) - len({who for _at, who in self.arrivals})

    @property
    def overtaken(self) -> int:
        """Letters that came before one that was owed earlier."""
        place = {who: number for number, who in enumerate(self.signed_up)}
        order = [place[who] for _at, who in self.arrivals]
        return sum(later < earlier for earlier, later in pairwise(order))

    def holds(self, plan: Plan) -> bool:
        wrong = (self.missing, self.repeats, self.overtaken)
        return not any(wrong) and self.busiest_minute <= plan.letters_a_minute


def live_through(app: Flask, port: int, plan: Plan) -> Outcome:
    """`app` sends its letters to `port`, where nobody listens until the day is over."""
    outcome = Outcome()
    breaker = CircuitBreaker(steady=time.time)
    with time_machine.travel(clock.now(), tick=False) as moved, _in_order(app, breaker) as mail:
        for number in range(plan.looks):
            for _ in range(len(outcome.signed_up), plan.signups * (number + 1) // plan.looks):
                _sign_up(app, outcome)
                moved.shift(APART)
            mail.deliver_all()
            moved.shift(A_DAY / plan.looks)
        # Else the last of them would rightly go first.
        moved.shift(turns.WAITED_FOR)
        with smtp.running(port=port) as server:
            server.on_letter = lambda letter: outcome.arrivals.append((clock.now(), letter.recipient))
            for _ in range(_steps(plan)):
                mail.deliver_all()
                moved.shift(STEP)
    return outcome


@contextmanager
def _in_order(app: Flask, breaker: CircuitBreaker) -> Iterator[Dispatcher]:
    """By one connection: with more, letters may overtake one another."""
    context = mail_loop.sending_context(app, threading.Event())
    one = replace(context.relay, connections=1)
    mail = Dispatcher(resources_of(app).database, replace(context, relay=one, circuit_breaker=breaker))
    try:
        yield mail
    finally:
        mail.close()


def _sign_up(app: Flask, outcome: Outcome) -> None:
    email = f"ada{len(outcome.signed_up)}@example.org"
    asked = {"email": email, "newsletters": "weekly", "consent": True}
    answer = app.test_client().post("/subscribe", json=asked)
    assert answer.status_code == 202, answer.text
    outcome.signed_up.append(email)


def _steps(plan: Plan) -> int:
    """Seconds that suffice at that rate, after the longest rest."""
    return 301 + 2 * 60 * plan.signups // plan.letters_a_minute


@click.command("outage")
@click.option("--signups", default=3000, show_default=True, help="Spread over the day.")
@click.option("--rate", default=600, show_default=True, help="SEND_RATE, letters a minute.")
@click.option("--engine", type=click.Choice(["sqlite", "postgresql"]), multiple=True, help="Default: both, in turn.")
def trial(signups: int, rate: int, engine: tuple[str, ...]) -> None:
    """Take the mail server away for a day, and look at what goes out when it is back."""
    plan, outcomes = Plan(signups, rate), []
    for each in engine or ("sqlite", "postgresql"):
        with _service(each, plan) as (app, port):
            outcome = live_through(app, port, plan)
        outcomes.append(outcome)
        click.echo(f"{each}: {len(outcome.signed_up):,} signups in a day without a mail server; then")
        click.echo(f"  letters               {len(outcome.arrivals):,}")
        for name in ("missing", "repeats", "overtaken", "busiest_minute"):
            click.echo(f"  {name:<22}{getattr(outcome, name):,}")
        if outcome.arrivals:
            click.echo(f"  all within            {outcome.arrivals[-1][0] - outcome.arrivals[0][0]}")
    if not all(outcome.holds(plan) for outcome in outcomes):
        raise SystemExit(1)


@contextmanager
def _service(engine: str, plan: Plan) -> Iterator[tuple[Flask, int]]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url = stack.enter_context(stage.furnished(engine, folder))
        port = stage.free_port()
        limits = {"SEND_RATE": str(plan.letters_a_minute), **servers.UNBOUNDED}
        many = {"RATE_LIMIT_SUBSCRIBE": "1000000", "RATE_LIMIT_FORM": "1000000"}
        os.environ.update({**stage.environment(url, port), **limits, **many})
        app = create_app(config.load(folder))
        # Thousands of lines a minute, of which nobody would read one.
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
        stack.callback(resources_of(app).database.dispose)
        yield app, port


if __name__ == "__main__":
    trial()
