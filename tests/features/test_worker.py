"""Workers: several at once, killed in the midst of things, or left without a database."""

import base64
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Literal
from uuid import uuid4

import pytest
import time_machine
from sqlalchemy import text, update
from structlog.testing import capture_logs

from app import cache, clock, worker
from app.mail.lease_keeper import LEASE
from app.outbox import Letter as OwedLetter
from app.resources import resources_of
from app.worker import mail_loop
from config import Settings
from tests.catalogues import CATALOGUE
from tests.features.conftest import OpenService
from tests.service import ADA, Letter, Service

PEOPLE = 100
PATIENCE_SECONDS = 120
PROJECT = Path(__file__).parents[2]


@contextmanager
def process(settings: Settings, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    """`jawel worker`, for as long as the block runs and not longer."""
    running = subprocess.Popen(
        [sys.executable, "-m", "app", "worker", *options], cwd=PROJECT, env=environment(settings), stdout=sys.stderr
    )
    try:
        yield running
    finally:
        running.kill()
        running.wait()


def environment(settings: Settings) -> dict[str, str]:
    assert settings.mail_server is not None
    return {
        **os.environ,
        "JAWEL_ENV": "production",
        "PUBLIC_URL": settings.public_url,
        "DATABASE_URL": settings.database_url,
        "SECRET_KEYS": ",".join(settings.secret_keys),
        "SUPPRESSION_KEY": settings.suppression_key,
        "LOG_SIGNING_KEY": base64.b64encode(settings.log_signing_keys[0]).decode(),
        "MAIL_SERVER": settings.mail_server.host,
        "MAIL_PORT": str(settings.mail_server.port),
    }


@dataclass(frozen=True, slots=True)
class Bench:
    """A service, and settings that a worker process can be started with: a comma parts one key from the next."""

    service: Service
    settings: Settings


@pytest.fixture
def bench(open_service: OpenService) -> Bench:
    service = open_service(rate_limit_subscribe=10_000, secret_keys=("a secret key for tests and of some length",))
    return Bench(service, resources_of(service.app).settings)


def await_(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def subscribe_all(service: Service) -> list[str]:
    people = [f"ada{number}@example.org" for number in range(PEOPLE)]
    for email in people:
        assert service.subscribe(email).status_code == 202
    return people


def kill_a_worker(bench: Bench, moment: Literal["on_rcpt", "on_taken"]) -> None:
    """Before the mail server has taken the letter, or between that and the worker's marking it."""
    with process(bench.settings) as running:
        setattr(bench.service.mail, moment, running.kill)
        running.wait(PATIENCE_SECONDS)
    setattr(bench.service.mail, moment, lambda: None)


def test_workers_at_once_deliver_each_letter_once(bench: Bench) -> None:
    people = subscribe_all(bench.service)
    with ThreadPoolExecutor(4) as pool:
        for each in [pool.submit(worker.run_once, bench.service.app) for _ in range(4)]:
            each.result()
    assert Counter(letter.recipient for letter in bench.service.mail.letters) == Counter(people)
    assert Counter(bench.service.events())["letter.accepted"] == PEOPLE


def test_processes_at_once_deliver_each_letter_once(bench: Bench) -> None:
    people = subscribe_all(bench.service)
    with process(bench.settings, "--once") as first, process(bench.settings, "--once") as second:
        assert first.wait(PATIENCE_SECONDS) == second.wait(PATIENCE_SECONDS) == 0
    assert Counter(letter.recipient for letter in bench.service.mail.letters) == Counter(people)
    assert bench.service.work() == []


def test_a_worker_killed_before_sending_loses_no_letter(bench: Bench) -> None:
    service = bench.service
    service.subscribe()
    kill_a_worker(bench, "on_rcpt")
    assert service.mail.letters == []
    assert service.work() == []
    with time_machine.travel(clock.now() + LEASE, tick=True):
        assert service.post(service.letter().link).status_code == 200
        assert service.work() == []


def test_a_worker_killed_between_sending_and_marking_sends_the_same_letter_again(bench: Bench) -> None:
    service = bench.service
    service.subscribe()
    kill_a_worker(bench, "on_taken")
    (first,) = map(Letter, service.mail.letters)
    assert service.status()["weekly"]["confirmation_mail"]["state"] == "queued"
    with time_machine.travel(clock.now() + LEASE, tick=True):
        again = service.letter()
        assert again.delivered.message["Message-ID"] == first.delivered.message["Message-ID"]
        assert service.status()["weekly"]["confirmation_mail"]["state"] == "sent"
        for copy in (first, again):
            assert service.post(copy.link).get_json() == {"status": "confirmed", "newsletters": ["weekly"]}
        assert service.events().count("subscription.confirmed") == 1
        assert service.work() == []


def test_the_link_of_a_copy_works_although_nobody_knows_that_it_was_sent(bench: Bench) -> None:
    service = bench.service
    service.subscribe()
    kill_a_worker(bench, "on_taken")
    (copy,) = map(Letter, service.mail.letters)
    assert service.post(copy.link).status_code == 200
    with time_machine.travel(clock.now() + LEASE, tick=True):
        assert service.work() == []


def test_a_letter_in_the_hands_of_one_worker_is_passed_by_by_others(service: Service) -> None:
    service.subscribe()

    def look() -> None:
        with ThreadPoolExecutor(1) as pool:
            pool.submit(worker.run_once, service.app).result()

    service.mail.on_taken = look
    assert len(service.deliver()) == 1
    assert service.work() == []


def test_a_worker_whose_lease_ran_out_marks_nothing(service: Service) -> None:
    with time_machine.travel("2026-11-23 20:00:00+00:00", tick=True) as moved:
        service.subscribe()

        def dawdle() -> None:
            service.mail.on_taken = lambda: None
            with service.database.transaction() as session:
                # Another worker has it by now, and is not done yet when the first lease would have ended.
                theirs = clock.now() + LEASE + clock.AHEAD / 2
                session.execute(update(OwedLetter).values(lease=uuid4(), leased_until=theirs))
            moved.shift(LEASE)

        service.mail.on_taken = dawdle
        assert len(service.work()) == 1
        assert service.status()["weekly"]["confirmation_mail"]["state"] == "queued"
        assert "letter.accepted" not in service.events()


def test_a_worker_told_to_stop_gives_back_what_it_has_not_begun(bench: Bench) -> None:
    service = bench.service
    for number in range(5):
        service.subscribe(f"ada{number}@example.org")
    stop = threading.Event()
    service.mail.on_taken = stop.set
    worker.run(service.app, stop)
    assert len(service.mail.letters) == 1
    service.mail.on_taken = lambda: None
    assert len(service.deliver()) == 4


def test_a_worker_waits_for_a_database_that_is_away(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    service = bench.service
    service.subscribe()
    monkeypatch.setattr(mail_loop, "TROUBLE_SECONDS", 0.1)
    with service.database.transaction() as session:
        session.execute(text("ALTER TABLE letters RENAME TO hidden"))
    stop = threading.Event()
    service.mail.on_taken = stop.set
    with ThreadPoolExecutor(1) as pool, capture_logs() as said:
        running = pool.submit(worker.run, service.app, stop)
        await_(lambda: any(line["event"] == "worker.step_failed" for line in said))
        with service.database.transaction() as session:
            session.execute(text("ALTER TABLE hidden RENAME TO letters"))
        running.result(PATIENCE_SECONDS)
    assert len(service.mail.letters) == 1


def test_a_letter_about_a_newsletter_that_the_worker_has_not_heard_of_waits(
    open_service: OpenService, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A machine may be so slow that it hears of it in time.
    monkeypatch.setattr(cache, "FRESH_FOR_SECONDS", 3600)
    with_monthly = deepcopy(CATALOGUE)
    with_monthly["newsletter"].append({**CATALOGUE["newsletter"][1], "slug": "monthly"})
    behind = open_service()
    resources_of(behind.app).catalogue.get()
    ahead = open_service(catalogue=with_monthly)
    ahead.subscribe(newsletters="monthly")
    ahead.subscribe("grace@example.org")
    assert [letter.delivered.recipient for letter in behind.deliver()] == ["grace@example.org"]
    assert ahead.status()["monthly"]["confirmation_mail"]["state"] == "deferred"
    with time_machine.travel(clock.now() + timedelta(seconds=6), tick=True):
        assert ahead.letter().delivered.recipient == ADA


@pytest.mark.parametrize("engine", ["postgresql"])
def test_a_worker_outlives_its_connections(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    service = bench.service
    monkeypatch.setattr(mail_loop, "TROUBLE_SECONDS", 0.1)
    service.subscribe()
    service.subscribe("grace@example.org")
    stop = threading.Event()

    def cut() -> None:
        service.mail.on_taken = stop_after_two
        service.rows(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )

    def stop_after_two() -> None:
        if len({letter.recipient for letter in service.mail.letters}) == 2:
            stop.set()

    service.mail.on_taken = cut
    with ThreadPoolExecutor(1) as pool, time_machine.travel(clock.now(), tick=True) as moved:
        running = pool.submit(worker.run, service.app, stop)
        await_(lambda: bool(service.mail.letters))
        moved.shift(LEASE + timedelta(minutes=1))
        try:
            running.result(PATIENCE_SECONDS)
        finally:
            stop.set()
    assert {letter.recipient for letter in service.mail.letters} == {"ada@example.org", "grace@example.org"}
