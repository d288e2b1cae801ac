"""Many letters owed: a confirmation that somebody waits for is among the first, and nothing is left behind for good."""

from collections.abc import Iterator
from copy import deepcopy
from datetime import timedelta
from threading import Event

import pytest
import time_machine

from app.mail.dispatch import AT_MOST
from app.worker import mail_loop
from config import SendLimits
from tests.catalogues import CATALOGUE
from tests.clocks import Clock
from tests.features.conftest import OpenService
from tests.service import Letter, Service

BACKLOG = 100
MANY_TURNS = 40
A_TURN = timedelta(seconds=11)
"""Of six a minute."""
AN_HOUR = timedelta(hours=1)
MILLISECOND = timedelta(milliseconds=1)


@pytest.fixture
def moved() -> Iterator[Clock]:
    with time_machine.travel("2026-11-23 20:00:00+00:00", tick=False) as clock:
        yield clock


@pytest.fixture
def service(open_service: OpenService) -> Service:
    catalogue = deepcopy(CATALOGUE)
    for each in catalogue["newsletter"]:
        # Else a flood is an attack, and what is asked for in one waits anyway.
        each["proof_of_work"] = "never"
    return open_service(catalogue=catalogue, rate_limit_subscribe=100_000, rate_limit_form=100_000)


def sign_up(service: Service, moved: Clock, *people: str, newsletter: str = "weekly") -> None:
    for email in people:
        assert service.subscribe(email, newsletters=newsletter).status_code == 202
        moved.shift(MILLISECOND)


def crowd(name: str, number: int) -> list[str]:
    return [f"{name}{each}@example.org" for each in range(number)]


def one_batch(service: Service) -> list[str]:
    """Who gets a letter, in that order, while the worker has as much in hand as it takes at once."""
    before = len(service.mail.letters)
    with mail_loop.dispatcher(service.app, Event()) as mail:
        mail.deliver_due()
    return [letter.recipient for letter in service.mail.letters[before:]]


def test_behind_many_older_letters_one_that_somebody_waits_for_is_the_first(service: Service, moved: Clock) -> None:
    sign_up(service, moved, *crowd("ada", BACKLOG))
    moved.shift(AN_HOUR)
    sign_up(service, moved, "grace@example.org")
    assert one_batch(service)[0] == "grace@example.org"
    assert service.post(Letter(service.mail.letters[0]).link).status_code == 200


def test_however_many_keep_asking_those_who_have_waited_longest_get_theirs_in_turn(
    service: Service, moved: Clock
) -> None:
    old = crowd("ada", BACKLOG)
    sign_up(service, moved, *old)
    moved.shift(AN_HOUR)
    those_who_waited = []
    for day in range(3):
        sign_up(service, moved, *crowd(f"grace{day}n", AT_MOST))
        batch = one_batch(service)
        assert batch[0].startswith("grace")
        those_who_waited += [each for each in batch if each.startswith("ada")]
    assert those_who_waited == old[: 3 * AT_MOST // 4]


def test_what_is_asked_for_in_a_flood_keeps_no_other_newsletter_waiting(service: Service, moved: Clock) -> None:
    sign_up(service, moved, *crowd("ada", BACKLOG))
    sign_up(service, moved, "grace@example.org", newsletter="events")
    assert "grace@example.org" in one_batch(service)


def test_where_few_are_due_they_leave_in_the_order_in_which_they_were_asked_for(service: Service, moved: Clock) -> None:
    people = crowd("ada", AT_MOST)
    sign_up(service, moved, *people)
    assert one_batch(service) == people


def test_under_a_rate_of_one_at_a_time_both_have_their_turns(open_service: OpenService, moved: Clock) -> None:
    service = open_service(send_limits=SendLimits(6, 0, 0, 0, 0), rate_limit_subscribe=1000)
    sign_up(service, moved, *crowd("ada", MANY_TURNS))
    moved.shift(AN_HOUR)
    sign_up(service, moved, *crowd("grace", MANY_TURNS))
    left: list[str] = []
    while {each.rstrip("0123456789") for each in map(_name, left)} != {"ada", "grace"}:
        assert len(left) < MANY_TURNS
        moved.shift(A_TURN)
        left += one_batch(service)


def _name(email: str) -> str:
    return email.partition("@")[0]
