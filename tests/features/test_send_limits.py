"""How much mail leaves: no more than allowed, whoever is asked for, and nobody's letter is lost by it."""

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import time_machine
from sqlalchemy import text

from app import worker
from app.database import Database
from app.mail import throttle
from app.mail.throttle import Rate
from config import SendLimits
from tests.clocks import Clock
from tests.features.conftest import OpenService
from tests.service import Service

SECOND = timedelta(seconds=1)
MILLISECOND = timedelta(milliseconds=1)


@pytest.fixture
def moved() -> Iterator[Clock]:
    with time_machine.travel("2026-11-23 20:00:00+00:00", tick=False) as clock:
        yield clock


def sign_up(service: Service, moved: Clock, *people: str, newsletter: str = "weekly") -> None:
    """One after the other: letters that are owed at the same instant have no order."""
    for number, email in enumerate(people):
        client = {"REMOTE_ADDR": f"192.0.2.{number % 250}"}
        fields = {"email": email, "newsletters": newsletter, "consent": True}
        assert service.post("/subscribe", json=fields, environ_base=client).status_code == 202
        moved.shift(MILLISECOND)


def those_who_got_one(service: Service) -> list[str]:
    return [letter.delivered.recipient for letter in service.deliver()]


def people(number: int) -> list[str]:
    return [f"ada{each}@example.org" for each in range(number)]


def test_in_no_minute_more_leaves_than_the_rate(open_service: OpenService, moved: Clock) -> None:
    service = open_service(send_limits=SendLimits(6, 0, 0, 0, 0))
    sign_up(service, moved, *people(8))
    by_look = []
    for _ in range(30):
        by_look.append(len(service.deliver()))
        moved.shift(3 * SECOND)
    assert sum(by_look) == 8
    assert max(sum(by_look[begin : begin + 20]) for begin in range(30)) <= 6
    assert set(by_look) == {0, 1}


def test_a_domain_that_has_had_its_share_keeps_no_other_waiting(open_service: OpenService, moved: Clock) -> None:
    service = open_service(send_limits=SendLimits(0, 12, 0, 0, 0))
    sign_up(service, moved, *people(4), "grace@example.net")
    assert those_who_got_one(service) == ["ada0@example.org", "grace@example.net"]
    assert service.status("ada3@example.org")["weekly"]["confirmation_mail"]["state"] == "queued"
    later = []
    for _ in range(20):
        moved.shift(2 * SECOND)
        later += those_who_got_one(service)
    assert later == ["ada1@example.org", "ada2@example.org", "ada3@example.org"]


@pytest.mark.parametrize(
    "limits",
    [SendLimits(0, 0, 2, 0, 0), SendLimits(0, 0, 0, 2, 0), SendLimits(0, 0, 0, 0, 2)],
    ids=["in-all", "to-a-domain", "for-a-newsletter"],
)
def test_what_asks_for_confirmation_has_a_budget_by_the_hour(
    open_service: OpenService, moved: Clock, limits: SendLimits
) -> None:
    service = open_service(send_limits=limits)
    sign_up(service, moved, *people(3))
    assert those_who_got_one(service) == people(2)
    moved.shift(timedelta(minutes=29))
    assert those_who_got_one(service) == []
    moved.shift(timedelta(minutes=2))
    assert those_who_got_one(service) == ["ada2@example.org"]


def test_a_budget_is_each_newsletters_own_and_for_nothing_but_confirmations(
    open_service: OpenService, moved: Clock
) -> None:
    service = open_service(send_limits=SendLimits(0, 0, 0, 0, 1))
    sign_up(service, moved, "ada@example.org")
    letter = service.letter()
    sign_up(service, moved, "grace@example.org")
    sign_up(service, moved, "edith@example.org", newsletter="events")
    assert those_who_got_one(service) == ["edith@example.org"]
    service.post(letter.link)
    service.post(f"{letter.link}/decline")
    assert those_who_got_one(service) == ["ada@example.org"], "that they have left is no question"


def test_letters_that_nobody_worked_for_go_by_a_small_allowance(open_service: OpenService, moved: Clock) -> None:
    service = open_service()
    sign_up(service, moved, *people(14))
    with service.database.transaction() as session:
        session.execute(text("UPDATE letters SET is_unproven = true"))
    sign_up(service, moved, "grace@example.org")
    assert Counter(those_who_got_one(service)) == Counter([*people(10), "grace@example.org"])
    moved.shift(timedelta(minutes=5))
    assert len(service.work()) == 4


def test_several_workers_exceed_nothing_together(open_service: OpenService, moved: Clock) -> None:
    service = open_service(send_limits=SendLimits(0, 0, 5, 0, 0))
    sign_up(service, moved, *people(30))
    with ThreadPoolExecutor(4) as pool:
        for each in [pool.submit(worker.run_once, service.app) for _ in range(4)]:
            each.result()
    assert len(service.mail.letters) == 5


def test_no_domain_of_a_person_stands_in_the_table(open_service: OpenService, moved: Clock) -> None:
    service = open_service(send_limits=SendLimits(600, 600, 10, 10, 10))
    sign_up(service, moved, "ada@lovelace.example.org", "ada@lovelace.example.net")
    service.work()
    keys = [row.key for row in service.rows("SELECT key FROM allowances")]
    assert Counter(key.partition(":")[0] for key in keys) == {
        "letters": 1,
        "letters_to_domain": 2,
        "confirmations": 1,
        "confirmations_to_domain": 2,
        "confirmations_for_newsletter": 1,
    }
    assert "lovelace" not in str(keys)
    assert "confirmations_for_newsletter:weekly" in keys


def test_allowances_at_rest_are_forgotten(open_service: OpenService, moved: Clock) -> None:
    service = open_service(send_limits=SendLimits(60, 60, 10, 10, 10))
    sign_up(service, moved, "ada@example.org")
    service.work()
    assert service.rows("SELECT * FROM allowances")
    moved.shift(timedelta(hours=2))
    service.work()
    assert service.rows("SELECT * FROM allowances") == []


@pytest.mark.parametrize("letters", [1, 7, 11, 600, 6_000, 7_000, 10_000])
@pytest.mark.parametrize("rate", [throttle.a_minute, lambda letters: throttle.an_hour(letters, letters)])
def test_at_once_goes_as_much_as_the_burst_says_however_the_interval_comes_out(
    database: Database, rate: Callable[[int], Rate], letters: int
) -> None:
    wanted = rate(letters)
    with database.transaction() as session:
        tally = throttle.lock(session, ["all"])
        assert tally.room("all", wanted) == wanted.burst
        gone = 0
        while tally.room("all", wanted) and gone <= wanted.burst:
            tally.spend("all", wanted)
            gone += 1
    assert gone == wanted.burst
