"""A change of address is undone from the old mailbox, for a week."""

from datetime import timedelta

from app.privacy import retention
from app.resources import resources_of
from tests.clocks import Clock
from tests.moving import INTRUDER, NEW, asked, fresh, gone, wrong
from tests.service import ADA, BROWSER, COOL_DOWN, Service


def test_an_intruder_who_moves_twice_is_undone_at_once(service: Service, moved: Clock) -> None:
    service.confirmed(language="en")
    notice = gone(service, INTRUDER)
    moved.shift(COOL_DOWN)
    second = gone(service, "mallory@example.net", INTRUDER)
    moved.shift(COOL_DOWN)
    third = asked(service, "mallory@example.edu", "mallory@example.net")
    key = fresh(service, "mallory@example.net")
    moved.shift(timedelta(seconds=2))
    assert service.post(notice.link).get_json() == {"status": "undone"}
    assert service.status()
    assert service.post(second.link).status_code == 410
    assert service.post(third.link).status_code == 410
    assert service.post(f"{key}/address", data={"email": INTRUDER}, headers=BROWSER).status_code == 403
    assert service.work() == []
    assert wrong(service) == []


def test_an_intruder_cannot_take_the_old_address_to_keep_it_from_coming_back(service: Service, moved: Clock) -> None:
    service.confirmed()
    notice = gone(service, INTRUDER)
    moved.shift(COOL_DOWN)
    service.subscribe(ADA, newsletters="events")
    service.work()
    assert service.post(notice.link).status_code == 200
    assert set(service.status() or {}) == {"weekly"}


def test_an_old_address_that_somebody_has_confirmed_since_is_not_taken_from_them(
    service: Service, moved: Clock
) -> None:
    service.confirmed(language="en")
    notice = gone(service)
    moved.shift(COOL_DOWN)
    service.confirmed(ADA, newsletters="events", language="en")
    answer = service.post(notice.link, headers=BROWSER)
    assert (answer.status_code, "subscriptions of its own" in answer.text) == (409, True)
    assert set(service.status() or {}) == {"events"}
    assert set(service.status(NEW) or {}) == {"weekly"}


def test_a_link_that_was_fresh_at_the_old_address_is_stale_at_the_new_one(service: Service, moved: Clock) -> None:
    service.confirmed()
    link = fresh(service)
    moved.shift(timedelta(minutes=2))
    gone(service)
    assert service.post(f"{link}/address", data={"email": INTRUDER}, headers=BROWSER).status_code == 403
    moved.shift(timedelta(minutes=2))
    asked(service, INTRUDER, NEW)


def test_it_can_be_undone_for_a_week_and_is_forgotten_then(service: Service, moved: Clock) -> None:
    service.confirmed(language="en")
    letter = asked(service)
    moved.shift(timedelta(hours=70))
    service.post(letter.link)
    notice = service.letter()
    moved.shift(timedelta(days=6, hours=23))
    service.work()
    assert service.get(notice.link, headers=BROWSER).status_code == 200
    assert service.get(letter.link, headers=BROWSER).status_code == 200
    moved.shift(timedelta(hours=2))
    assert service.post(notice.link).status_code == 410
    assert retention.PurgeKind.ADDRESS_CHANGES in [
        each.kind for each in retention.chores(resources_of(service.app).catalogue.get())
    ]
    service.work()
    assert service.rows("SELECT id FROM address_changes") == []
    assert service.rows("SELECT id FROM letters WHERE address_change_id IS NOT NULL") == []
    assert service.get(notice.link, headers=BROWSER).status_code == 410
    assert service.get(letter.link, headers=BROWSER).status_code == 410
    assert wrong(service) == []


def test_the_notice_is_not_sent_any_more_once_it_is_undone_or_over(service: Service, moved: Clock) -> None:
    service.confirmed()
    service.post(asked(service).link)
    moved.shift(timedelta(days=8))
    assert service.work() == []


def test_who_left_at_the_new_address_is_not_brought_back_by_the_way_back(service: Service) -> None:
    service.confirmed()
    notice = gone(service)
    link = (service.status(NEW) or {})["weekly"]["links"]["unsubscribe"].removeprefix("https://subscribe.example.org")
    assert service.post(link, data={"List-Unsubscribe": "One-Click"}).status_code == 200
    assert service.post(notice.link).get_json() == {"status": "undone"}
    assert (service.status() or {})["weekly"]["status"] == "unsubscribed"
