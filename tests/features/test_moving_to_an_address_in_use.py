"""Moving to an address, or back to one, where somebody once confirmed, left, and has only asked again since.

What left keeps its evidence, and a request on top of it may lapse without erasing that: so there is somebody there.
"""

from datetime import timedelta

import pytest

from tests.clocks import Clock
from tests.log import audited
from tests.moving import ask, asked, gone, left
from tests.service import ADA, BROWSER, COOL_DOWN, GRACE, Service


def somebody_left_and_asked_again(service: Service, clock: Clock, email: str) -> None:
    service.confirmed(email, newsletters="events", language="en")
    left(service, email, "events")
    clock.shift(COOL_DOWN)
    service.subscribe(email, newsletters="events", language="en")
    service.work()
    assert status(service, email) == {"events": "pending"}


def status(service: Service, email: str) -> dict[str, str]:
    return {name: each["status"] for name, each in (service.status(email) or {}).items()}


def test_whoever_left_there_and_asked_again_is_not_moved_over(service: Service, moved: Clock) -> None:
    somebody_left_and_asked_again(service, moved, GRACE)
    service.confirmed(language="en")
    moved.shift(COOL_DOWN)
    letter = asked(service, GRACE)
    before = service.events()
    answer = service.post(letter.link, headers=BROWSER)
    assert (answer.status_code, "subscriptions of its own" in answer.text) == (409, True)
    assert service.post(letter.link).status_code == 409
    assert (status(service, ADA), status(service, GRACE)) == ({"weekly": "confirmed"}, {"events": "pending"})
    assert service.events() == before
    assert service.work() == []
    assert audited(service) == []


def test_nor_is_whoever_did_so_at_the_old_address_since(service: Service, moved: Clock) -> None:
    service.confirmed(language="en")
    notice = gone(service, GRACE)
    moved.shift(COOL_DOWN)
    somebody_left_and_asked_again(service, moved, ADA)
    before = service.events()
    answer = service.post(notice.link, headers=BROWSER)
    assert (answer.status_code, "subscriptions of its own" in answer.text) == (409, True)
    assert (status(service, GRACE), status(service, ADA)) == ({"weekly": "confirmed"}, {"events": "pending"})
    assert service.events() == before


@pytest.mark.parametrize("answered", ["in time", "never"])
def test_once_what_was_left_is_all_there_is_it_still_keeps_the_address(
    service: Service, moved: Clock, answered: str
) -> None:
    """Its evidence names that address, whatever became of the second request."""
    somebody_left_and_asked_again(service, moved, GRACE)
    service.confirmed(language="en")
    if answered == "never":
        moved.shift(timedelta(hours=97))
        service.work()
        assert status(service, GRACE) == {"events": "unsubscribed"}
    else:
        moved.shift(COOL_DOWN)
    assert service.post(asked(service, GRACE).link).status_code == 409


def test_who_asks_to_move_to_where_they_are_is_never_written_to(service: Service, moved: Clock) -> None:
    """Neither at once nor when the address may next be sent a letter."""
    service.confirmed()
    for wanted in (ADA, ADA.upper()):
        ask(service, wanted)
        moved.shift(COOL_DOWN)
        assert service.work() == []


def test_for_whom_nothing_is_confirmed_any_more_no_stranger_is_written_to_or_kept(service: Service) -> None:
    service.confirmed()
    left(service, ADA, "weekly")
    ask(service, GRACE)
    assert service.work() == []
    assert service.counts()["address_changes"] == 0
