"""The breaker of a newsletter: trips when its form is used against strangers, and resets when that is over."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta

import pytest
import time_machine
from sqlalchemy import func, select

from app import cache, clock, logs
from app.abuse.attack_detection import counting, rules, switching
from app.abuse.attack_detection.model import BreakerMinute
from app.abuse.attack_detection.rules import Counts, judge, sign_of_attack
from app.resources import resources_of
from app.worker import attack_loop
from tests.catalogues import NEVER
from tests.clocks import HOUR, Clock
from tests.commands import Jawel
from tests.concurrency import at_once
from tests.features.conftest import OpenService
from tests.figures import figure
from tests.log import log_of, seal, write_events
from tests.service import Service

MINUTE = timedelta(minutes=1)
NOW = clock.now()


@pytest.fixture
def moved() -> Iterator[Clock]:
    with time_machine.travel("2026-11-23 20:00:20+00:00", tick=False) as clock:
        yield clock


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """An attack is ten requests that nobody confirms, or two declines."""
    monkeypatch.setattr(rules, "MANY_REQUESTS", 10)
    monkeypatch.setattr(rules, "MANY_DECLINES", 2)
    monkeypatch.setattr(cache, "FRESH_FOR_SECONDS", 0)


@pytest.mark.parametrize(
    ("hour", "sign"),
    [
        (Counts(), None),
        (Counts(requests=199), None),
        (Counts(requests=200), "200 requests and 0 confirmations in an hour: fewer than 5 %"),
        (Counts(requests=200, confirmations=9), "200 requests and 9 confirmations in an hour: fewer than 5 %"),
        (Counts(requests=200, confirmations=10), None),
        (Counts(requests=10_000, confirmations=499), "10000 requests and 499 confirmations in an hour: fewer than 5 %"),
        (Counts(requests=10_000, confirmations=500), None),
        (Counts(confirmations=300), None),
        (Counts(declines=9), None),
        (Counts(declines=10), "0 requests and 10 declines in an hour: more than 5 %"),
        (Counts(requests=20, confirmations=9, declines=10), "20 requests and 10 declines in an hour: more than 5 %"),
        (
            Counts(requests=199, confirmations=189, declines=10),
            "199 requests and 10 declines in an hour: more than 5 %",
        ),
        (Counts(requests=200, confirmations=190, declines=10), None),
    ],
)
def test_what_looks_like_an_attack(hour: Counts, sign: str | None) -> None:
    assert sign_of_attack(hour) == sign


ATTACK, CALM = Counts(declines=10), Counts(requests=10, confirmations=10)


@pytest.mark.parametrize(
    ("attacked_at", "hour", "becomes"),
    [
        (None, CALM, None),
        (None, ATTACK, True),
        (NOW, ATTACK, None),
        (NOW - 2 * HOUR, ATTACK, None),
        (NOW, CALM, None),
        (NOW - HOUR + MINUTE, CALM, None),
        (NOW - HOUR, CALM, False),
    ],
)
def test_what_becomes_of_a_breaker(attacked_at: object, hour: Counts, becomes: bool | None) -> None:
    change = judge(attacked_at, hour, NOW)  # type: ignore[arg-type]
    assert (None if change is None else change.is_tripped) == becomes


def attack(service: Service, number: int = 10) -> None:
    for each in range(number):
        client = {"REMOTE_ADDR": f"192.0.2.{each}"}
        fields = {"email": f"victim{each}.{clock.now():%H%M}@example.org", "newsletters": "weekly", "consent": True}
        assert service.post("/subscribe", json=fields, environ_base=client).status_code == 202


def attacked(service: Service) -> frozenset[str]:
    return resources_of(service.app).catalogue.get().attacked


@pytest.mark.usefixtures("small")
def test_requests_that_nobody_confirms_trip_the_breaker_of_their_newsletter_alone(
    service: Service, moved: Clock, capfd: pytest.CaptureFixture[str]
) -> None:
    logs.configure(resources_of(service.app).settings)  # from here on to what this test captures
    attack(service, 9)
    service.work()
    assert attacked(service) == frozenset()
    attack(service, 10)
    service.work()
    assert attacked(service) == {"weekly"}
    assert figure(service, "breaker_tripped", "weekly") == 1
    assert figure(service, "breaker_tripped", "events") == 0
    assert figure(service, "breaker_requests", "weekly") == 10, "the second time nine of them had just been asked"
    (said,) = [json.loads(line) for line in capfd.readouterr().out.splitlines() if "breaker.tripped" in line]
    assert (said["newsletter"], said["requests"], said["confirmations"], said["declines"]) == ("weekly", 10, 0, 0)
    assert said["reason"] == "10 requests and 0 confirmations in an hour: fewer than 5 %"


@pytest.mark.usefixtures("small")
def test_people_who_confirm_trip_nothing(service: Service, moved: Clock) -> None:
    for number in range(10):
        service.confirmed(f"reader{number}@example.org")
    service.work()
    assert attacked(service) == frozenset()
    assert figure(service, "breaker_confirmations", "weekly") == 10


@pytest.mark.usefixtures("small")
def test_people_who_say_that_it_was_not_them_trip_it(service: Service, moved: Clock) -> None:
    for email in ("ada@example.org", "grace@example.org"):
        service.subscribe(email, newsletters="events")
        assert service.post(service.letter().link + "/decline").status_code == 200
    assert attacked(service) == frozenset()
    service.work()
    assert attacked(service) == {"events"}
    assert figure(service, "breaker_declines", "events") == 2


@pytest.mark.usefixtures("small")
def test_it_resets_an_hour_after_it_last_looked_like_an_attack(service: Service, moved: Clock) -> None:
    attack(service)
    service.work()
    for minutes in (30, 29):
        moved.shift(minutes * MINUTE)
        service.work()
    assert attacked(service) == {"weekly"}, "the hour still holds all of it"
    moved.shift(2 * MINUTE)
    service.work()
    assert figure(service, "breaker_requests", "weekly") == 0
    assert attacked(service) == {"weekly"}, "it is not an hour yet that the counts were calm"
    moved.shift(HOUR)
    service.work()
    assert attacked(service) == frozenset()
    history = service.rows("SELECT newsletter, is_tripped, reason, requests FROM breaker_changes ORDER BY changed_at")
    assert [tuple(each) for each in history] == [
        ("weekly", True, "10 requests and 0 confirmations in an hour: fewer than 5 %", 10),
        ("weekly", False, "nothing looked like an attack for an hour", 0),
    ]


@pytest.mark.usefixtures("small")
def test_an_attack_that_goes_on_keeps_it_tripped(open_service: OpenService, moved: Clock) -> None:
    service = open_service(NEVER)
    for _ in range(5):
        attack(service)
        service.work()
        moved.shift(45 * MINUTE)
    assert attacked(service) == {"weekly"}
    assert len(service.rows("SELECT * FROM breaker_changes")) == 1


def counted(service: Service) -> int:
    with service.database.read_only() as connection:
        return connection.scalar(select(func.sum(BreakerMinute.requests))) or 0


def test_several_workers_count_nothing_twice(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "AT_MOST", 7)
    for _ in range(3):
        write_events(service.database, 50)
        seal(service.database, log_of(service))
        at_once([lambda: attack_loop.watch(service.database)] * 4)
    attack_loop.watch(service.database)
    assert counted(service) == 150


DIES_IN_BETWEEN = """
import sys
from app import clock, database
from app.abuse.attack_detection import counting
from app.database.locks import AdvisoryLock, try_lock
with database.connect(sys.argv[1]).transaction() as session:
    is_locked = try_lock(session.connection(), AdvisoryLock.ATTACK_DETECTION)
    print(is_locked, counting.count(session, clock.now()), flush=True)
    sys.stdin.read()
"""


def test_a_worker_that_is_killed_between_counting_and_the_end_counted_nothing(
    service: Service, database_url: str
) -> None:
    write_events(service.database, 20)
    seal(service.database, log_of(service))
    program = [sys.executable, "-c", DIES_IN_BETWEEN, database_url]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "True 20\n"
        if service.database.writer.dialect.name == "postgresql":
            attack_loop.watch(service.database)
            assert counted(service) == 0, "it is not our turn while another counts"
        os.kill(process.pid, signal.SIGKILL)
    attack_loop.watch(service.database)
    attack_loop.watch(service.database)
    assert counted(service) == 20


def test_a_long_log_says_nothing_of_the_last_hour(service: Service, moved: Clock) -> None:
    write_events(service.database, 20)
    seal(service.database, log_of(service))
    moved.shift(HOUR)
    attack_loop.watch(service.database)
    write_events(service.database, 1)
    seal(service.database, log_of(service))
    attack_loop.watch(service.database)
    assert counted(service) == 1


def test_counts_are_forgotten_after_two_hours_and_changes_after_ninety_days(service: Service, moved: Clock) -> None:
    write_events(service.database, 3)
    service.work()
    with service.database.transaction() as session:
        switching.trip(session, "weekly", clock.now())
    moved.shift(2 * HOUR - MINUTE)
    service.work()
    assert counted(service) == 3
    moved.shift(MINUTE)
    service.work()
    assert counted(service) == 0
    moved.shift(timedelta(days=90) - 2 * HOUR - MINUTE)
    service.work()
    assert service.counts()["breaker_changes"] == 2, "it tripped, and was reset"
    moved.shift(MINUTE)
    service.work()
    assert service.counts()["breaker_changes"] == 1


def test_an_operator_sees_and_switches(service: Service, jawel: Jawel, moved: Clock) -> None:
    calm = jawel("newsletters", "attacks")
    assert (calm.exit_code, calm.stdout, calm.stderr) == (0, "", "No newsletter is attacked.\n")
    for _ in range(2):
        tripped = jawel("newsletters", "attacks", "--trip", "weekly")
        assert tripped.stdout.splitlines() == [
            "attacked\tweekly\tsince 2026-11-23T20:00:20.000Z\tby hand",
            "2026-11-23T20:00:20.000Z\tweekly\ttripped\tby hand",
        ]
    assert attacked(service) == {"weekly"}
    moved.shift(HOUR - MINUTE)
    service.work()
    assert jawel("newsletters", "attacks").stdout.startswith("attacked\tweekly")
    moved.shift(MINUTE)
    service.work()
    assert jawel("newsletters", "attacks").stderr == "No newsletter is attacked.\n"


@pytest.mark.usefixtures("small")
def test_what_was_seen_before_a_reset_by_hand_is_held_against_nobody(
    service: Service, jawel: Jawel, moved: Clock
) -> None:
    attack(service)
    service.work()
    moved.shift(MINUTE)
    for _ in range(2):
        reset = jawel("newsletters", "attacks", "--reset", "weekly")
        assert [line.split("\t")[2:] for line in reset.stdout.splitlines()] == [
            ["reset", "by hand"],
            ["tripped", "10 requests and 0 confirmations in an hour: fewer than 5 %"],
        ]
    service.work()
    assert attacked(service) == frozenset()


def test_only_a_newsletter_that_there_is_can_be_switched(service: Service, jawel: Jawel) -> None:
    refused = jawel("newsletters", "attacks", "--trip", "weekly", "--reset", "monthly")
    assert refused.exit_code == 2
    assert "--reset: there is no newsletter monthly." in refused.stderr
    assert service.counts()["breaker_changes"] == 0
