""" "This was not me" at any time: what it keeps quiet and for how long, and that its page says what is so."""

from tests.clocks import Clock
from tests.declining import ask, decline, is_quiet
from tests.leaving import leave_link
from tests.service import ADA, BOTH, BROWSER, COOL_DOWN, Letter, Service

FOR_30_DAYS = "this address gets no confirmation mail for 30 days"
NOTHING_LEFT = "nothing left that this link could end"


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


def test_another_letter_of_the_same_person_is_declined_for_itself(service: Service, moved: Clock) -> None:
    first = ask(service)
    moved.shift(COOL_DOWN)
    second = ask(service, newsletters="events")
    decline(service, first.link)
    assert service.post(second.link).get_json()["newsletters"] == ["events"]
    assert [(service.status(ADA) or {})[name]["status"] for name in BOTH] == ["unsubscribed", "confirmed"]
