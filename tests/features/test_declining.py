""" "This was not me" at any time: what it keeps quiet and for how long, and that its page says what is so."""

from datetime import timedelta

import pytest

from tests.clocks import Clock
from tests.commands import Jawel
from tests.declining import ask, decline, is_quiet
from tests.engines import on_sqlite
from tests.leaving import leave_link, undo_token
from tests.moving import NEW, asked
from tests.service import ADA, BOTH, BROWSER, COOL_DOWN, Letter, Service

FOR_30_DAYS = "this address gets no confirmation mail for 30 days"
NOTHING_LEFT = "nothing left that this link could end"
HALF_AN_HOUR = timedelta(minutes=30)


def one_click(service: Service, letter: Letter) -> None:
    answer = service.post(letter.one_click, data={"List-Unsubscribe": "One-Click"}, headers=BROWSER)
    assert (answer.status_code, answer.get_json()) == (200, {"status": "declined"})


def test_one_click_erases_at_once_and_offers_no_way_back(service: Service) -> None:
    letter = ask(service)
    one_click(service, letter)
    assert service.status() is None
    assert service.rows("SELECT id FROM subscribers") == []


def test_so_does_a_program_that_shows_no_page(service: Service) -> None:
    service.post(f"{ask(service).link}/decline")
    assert service.status() is None


def test_this_was_not_me_after_one_click_is_heard_for_30_days(service: Service, moved: Clock) -> None:
    letter = ask(service)
    one_click(service, letter)
    moved.shift(timedelta(hours=20))
    page = decline(service, letter.link)
    assert (FOR_30_DAYS in page.text, undo_token(page)) == (True, "")
    moved.shift(timedelta(days=29))
    assert is_quiet(service)
    moved.shift(timedelta(days=2))
    assert not is_quiet(service)


def test_and_for_the_other_addresses_of_the_mailbox(service: Service, moved: Clock) -> None:
    letter = ask(service, "ada+1@example.org")
    one_click(service, letter)
    decline(service, letter.link)
    moved.shift(timedelta(days=2))
    assert is_quiet(service)


@pytest.mark.parametrize("end", ["one-click", "expiry"])
def test_it_is_heard_from_who_has_other_subscriptions_too(service: Service, moved: Clock, end: str) -> None:
    service.confirmed()
    moved.shift(COOL_DOWN)
    letter = ask(service, newsletters="events")
    if end == "one-click":
        one_click(service, letter)
    moved.shift(timedelta(days=5))
    service.work()
    assert set(service.status() or {}) == {"weekly"}
    assert FOR_30_DAYS in decline(service, letter.link).text
    assert is_quiet(service)


def test_it_is_heard_after_the_request_has_lapsed_unconfirmed(service: Service, moved: Clock) -> None:
    letter = ask(service)
    moved.shift(timedelta(days=5))
    service.work()
    assert service.status() is None
    assert FOR_30_DAYS in decline(service, letter.link).text
    assert is_quiet(service)


def test_a_mail_program_that_comes_late_says_nothing_for_a_person(service: Service, moved: Clock) -> None:
    letter = ask(service)
    moved.shift(timedelta(days=5))
    service.work()
    one_click(service, letter)
    assert not is_quiet(service)


def test_once_nothing_is_known_any_more_the_page_promises_nothing(service: Service, moved: Clock) -> None:
    letter = ask(service)
    one_click(service, letter)
    moved.shift(timedelta(days=31))
    service.work()
    page = decline(service, letter.link)
    assert (NOTHING_LEFT in page.text, FOR_30_DAYS in page.text) == (True, False)


def test_pressed_again_it_says_the_same_and_adds_no_event(service: Service, moved: Clock) -> None:
    letter = ask(service)
    decline(service, letter.link)
    events = service.events()
    for wait in (timedelta(minutes=1), HALF_AN_HOUR, timedelta(days=1)):
        moved.shift(wait)
        service.work()
        assert FOR_30_DAYS in decline(service, letter.link).text
    assert service.status() is None
    assert service.events() == events


def test_after_confirming_it_leaves_and_whoever_left_may_come_back(service: Service, moved: Clock) -> None:
    letter = service.confirmed(language="en")
    page = decline(service, letter.link)
    assert ("You are unsubscribed." in page.text, FOR_30_DAYS in page.text) == (True, False)
    assert NOTHING_LEFT in decline(service, letter.link).text
    moved.shift(COOL_DOWN)
    service.work()
    assert not is_quiet(service)


def test_the_link_of_an_old_letter_does_not_silence_who_has_asked_anew(service: Service, moved: Clock) -> None:
    letter = service.confirmed(language="en")
    service.post(leave_link(service))
    moved.shift(COOL_DOWN)
    service.work()
    service.subscribe()
    assert NOTHING_LEFT in decline(service, letter.link).text
    assert service.post(service.letter().link).status_code == 200


def test_the_former_mailbox_of_a_person_who_moved_speaks_for_itself_alone(service: Service, moved: Clock) -> None:
    service.confirmed()
    moved.shift(COOL_DOWN)
    letter = ask(service, newsletters="events")
    change = asked(service).link
    assert service.post(change).status_code == 200
    assert FOR_30_DAYS in decline(service, letter.link).text
    assert not is_quiet(service, NEW)
    assert is_quiet(service)


def test_another_letter_of_the_same_person_is_declined_for_itself(service: Service, moved: Clock) -> None:
    first = ask(service)
    moved.shift(COOL_DOWN)
    second = ask(service, newsletters="events")
    decline(service, first.link)
    assert service.post(second.link).get_json()["newsletters"] == ["events"]
    assert [(service.status(ADA) or {})[name]["status"] for name in BOTH] == ["unsubscribed", "confirmed"]


@on_sqlite
def test_bounces_and_declines_are_counted_apart_when_they_are_erased(
    service: Service, jawel: Jawel, moved: Clock
) -> None:
    decline(service, ask(service).link)
    moved.shift(HALF_AN_HOUR + timedelta(minutes=1))
    purged = jawel("privacy", "purge")
    assert purged.exit_code == 0
    said = " ".join(purged.stdout.split())
    assert "1 declined requests erased" in said
    assert "0 bounced requests erased" in said
