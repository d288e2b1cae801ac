"""Primary killed under load, standby promoted: `python -m trials failover`.

Nothing that was answered 202 may be missing, and the service goes on by itself. With synchronous replication a commit
is acknowledged only when the standby has it on its disk, and 202 is said only after the commit.
"""

import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import click

from tests import smtp
from tests.commands import Jawel
from tests.postgresql import mortal_server
from trials import stage
from trials.stage import Answer

NAME = "jawel"
KNOWN = """
    SELECT s.canonical FROM subscribers s
    JOIN subscriptions u ON u.subscriber_id = s.id
    JOIN letters l ON l.id = u.letter_id
    WHERE EXISTS (SELECT 1 FROM consent_events e WHERE e.subscription_id = u.id AND e.type = 'subscription.requested')
"""


@dataclass
class Diary:
    """What the people who signed up were answered, and when."""

    answers: list[tuple[float, str, Answer]] = field(default_factory=list)

    def accepted(self) -> set[str]:
        return {email for _at, email, answer in self.answers if answer.status == 202}

    def statuses(self) -> Counter[int]:
        return Counter(answer.status for _at, _email, answer in self.answers)

    def first_success_after(self, instant: float) -> float | None:
        return min((at for at, _email, answer in self.answers if at > instant and answer.status == 202), default=None)


@dataclass(frozen=True, slots=True)
class Outcome:
    accepted: int
    lost: int
    """Answered 202, and without subscription, event or letter on the new primary."""
    statuses: Counter[int]
    mute: int
    """503 without Retry-After."""
    promoted_after: float
    """Seconds from the kill until pg_ctl was done."""
    recovered_after: float
    """Seconds from the kill to the first 202."""
    starts: int
    """Of `jawel serve`: 1, as nobody may have to start it again."""


def rehearse(programs: Path, seconds: float, people: int = 4) -> Outcome:
    """Load for `seconds` before the kill, and as long after the recovery."""
    with mortal_server(programs) as primary, smtp.running() as sink, tempfile.TemporaryDirectory() as folder:
        primary.execute(f"CREATE DATABASE {NAME}")
        stage.furnish(primary.url(NAME))
        standby = primary.standby()
        url = f"postgresql://postgres@/{NAME}?host={primary.folder},{standby.folder}"
        jawel, port = Jawel(stage.environment(url, sink.port), Path(folder)), stage.free_port()
        with stage.kept(jawel, "serve", "--port", str(port), "--processes", "1") as serve:
            stage.await_answer(port)
            with _crowd(port, people) as diary:
                time.sleep(seconds)
                killed_at = time.monotonic()
                primary.kill()
                standby.promote()
                promoted_at = time.monotonic()
                _await(lambda: diary.first_success_after(promoted_at))
                time.sleep(seconds)
            return Outcome(
                accepted=len(diary.accepted()),
                lost=len(diary.accepted() - {row[0] for row in stage.rows(url, KNOWN)}),
                statuses=diary.statuses(),
                mute=sum(answer.status == 503 and not answer.retry_after for _at, _email, answer in diary.answers),
                promoted_after=promoted_at - killed_at,
                recovered_after=(diary.first_success_after(promoted_at) or 0) - killed_at,
                starts=serve.starts,
            )


@contextmanager
def _crowd(port: int, people: int) -> Iterator[Diary]:
    diary, stop = Diary(), threading.Event()
    threads = [threading.Thread(target=_sign_up, args=(port, diary, stop, who)) for who in range(people)]
    for each in threads:
        each.start()
    try:
        yield diary
    finally:
        stop.set()
        for each in threads:
            each.join()


def _sign_up(port: int, diary: Diary, stop: threading.Event, who: int) -> None:
    for number in count():
        if stop.is_set():
            return
        email = f"ada@p{who}n{number}.example.org"
        answer = stage.sign_up(port, email)
        diary.answers.append((time.monotonic(), email, answer))
        if answer.status != 202:
            stop.wait(0.1)


def _await(happened: Callable[[], object]) -> None:
    deadline = time.monotonic() + stage.PATIENCE_SECONDS
    while not happened():
        if time.monotonic() > deadline:
            raise SystemExit("The service does not recover.")
        time.sleep(0.02)


@click.command("failover")
@click.option("--seconds", default=10.0, show_default=True, help="Of load before the kill, and after the recovery.")
def trial(seconds: float) -> None:
    """Kill the primary under load, promote the standby, count what is missing."""
    outcome = rehearse(stage.postgresql(), seconds)
    answers = ", ".join(f"{status or 'none'}: {times:,}" for status, times in sorted(outcome.statuses.items()))
    click.echo(f"answers by status              {answers}")
    click.echo(f"503 without Retry-After        {outcome.mute}")
    click.echo(f"promoted after                 {outcome.promoted_after:.2f} s")
    click.echo(f"first 202 after                {outcome.recovered_after:.2f} s")
    click.echo(f"signups answered 202           {outcome.accepted:,}")
    click.echo(f"of those lost                  {outcome.lost}")
    if outcome.lost or outcome.starts > 1:
        raise SystemExit(1)


if __name__ == "__main__":
    trial()
