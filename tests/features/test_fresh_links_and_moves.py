"""A fresh link is as good as the mailbox that it was mailed to: with the person gone from there, it is weak."""

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
import time_machine

from tests.clocks import Clock
from tests.moving import INTRUDER, NEW, asked, gone
from tests.service import ADA, BROWSER, COOL_DOWN, Service

WITHIN_A_SECOND = timedelta(milliseconds=200)


@pytest.fixture
def clock() -> Iterator[Clock]:
    """It stands still between two shifts: a second can be looked into."""
    with time_machine.travel("2026-11-23 20:00:00.300+00:00", tick=False) as clock:
        yield clock


def fresh(service: Service, email: str) -> str:
    """As whoever has the mailbox gets it."""
    assert service.post("/preferences", json={"email": email}).status_code == 202
    letter = service.letter()
    assert letter.delivered.recipient == email
    return letter.link


def shows_everything(service: Service, link: str) -> bool:
    page = service.get(link, headers=BROWSER)
    assert page.status_code == 200
    return ADA in page.text or NEW in page.text or INTRUDER in page.text


@pytest.mark.parametrize("waited", [timedelta(), WITHIN_A_SECOND, timedelta(seconds=1), timedelta(minutes=2)])
def test_a_link_that_was_mailed_before_the_move_is_weak_however_soon_after_it_comes(
    service: Service, clock: Clock, waited: timedelta
) -> None:
    service.confirmed(language="en")
    press = asked(service).link
    link = fresh(service, ADA)
    assert shows_everything(service, link)
    clock.shift(waited)
    assert service.post(press).status_code == 200
    assert not shows_everything(service, link)
    assert service.post(f"{link}/address", data={"email": INTRUDER}, headers=BROWSER).status_code == 403
    assert service.post(f"{link}/erase", headers=BROWSER).status_code == 403
    assert service.status(NEW)


@pytest.mark.parametrize("waited", [timedelta(), WITHIN_A_SECOND, timedelta(seconds=1), timedelta(minutes=2)])
def test_so_is_the_link_of_an_intruder_whose_move_is_undone_in_the_same_second(
    service: Service, clock: Clock, waited: timedelta
) -> None:
    service.confirmed(language="en")
    undo = gone(service, INTRUDER).link
    clock.shift(COOL_DOWN)
    link = fresh(service, INTRUDER)
    clock.shift(waited)
    assert service.post(undo).get_json() == {"status": "undone"}
    assert not shows_everything(service, link)
    assert service.post(f"{link}/address", data={"email": INTRUDER}, headers=BROWSER).status_code == 403
    assert service.status()


def pressed(service: Service) -> str:
    service.post(asked(service).link)
    return NEW


def undone(service: Service) -> str:
    service.post(gone(service).link)
    return ADA


@pytest.mark.parametrize("move", [pressed, undone], ids=lambda move: move.__name__)
def test_a_link_that_is_mailed_to_the_new_mailbox_is_fresh_from_the_next_second_on(
    service: Service, clock: Clock, move: Callable[[Service], str]
) -> None:
    service.confirmed(language="en")
    email = move(service)
    service.work()
    clock.shift(timedelta(seconds=1))
    assert shows_everything(service, fresh(service, email))
