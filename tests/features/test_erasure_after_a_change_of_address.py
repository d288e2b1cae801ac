"""Who is erased, and who is told what, where an address has been of two people."""

import pytest

from tests.clocks import Clock
from tests.moving import HALF_AN_HOUR, NEW, asked, digests, fresh, gone, person
from tests.service import ADA, BROWSER, COOL_DOWN, Service
from tests.tombstones import assert_each_blank_event_is_named, erase


@pytest.mark.parametrize("when", ["open", "confirmed", "undone"])
@pytest.mark.parametrize("who", ["person", "former", "new"])
def test_erasure_takes_changes_and_letters_along(service: Service, when: str, who: str) -> None:
    service.confirmed()
    name = person(service)
    letter = asked(service)
    if when != "open":
        service.post(letter.link)
        notice = service.letter()
        if when == "undone":
            service.post(notice.link)
    erase(service, {"person": name, "former": ADA, "new": NEW}[who])
    assert service.rows("SELECT id FROM address_changes") == []
    assert service.rows("SELECT id FROM letters WHERE address_change_id IS NOT NULL") == []
    assert service.post(letter.link).status_code == 410
    if who == "person":
        assert service.counts()["subscribers"] == service.counts()["letters"] == 0
    assert_each_blank_event_is_named(service)


def pending_and_moved(service: Service, moved: Clock) -> None:
    """What was pending left a stub of the old address."""
    service.confirmed()
    moved.shift(COOL_DOWN)
    service.subscribe(newsletters="events")
    service.work()
    gone(service)
    moved.shift(COOL_DOWN)


@pytest.mark.parametrize("who", ["address", "id"])
@pytest.mark.parametrize("limited", [None, ["weekly", "events"]])
def test_whoever_has_the_old_address_now_is_erased_alone(
    service: Service, moved: Clock, who: str, limited: list[str] | None
) -> None:
    pending_and_moved(service, moved)
    service.confirmed(ADA)
    erase(service, ADA if who == "address" else person(service, ADA), limited)
    assert service.status(ADA) is None
    assert (service.status(NEW) or {})["weekly"]["mailable"] is True
    assert service.rows("SELECT digest FROM stubs") == []
    assert_each_blank_event_is_named(service)


def test_of_whom_a_stub_is_about_the_old_address_everything_is_erased_and_nobody_else(
    service: Service, moved: Clock
) -> None:
    pending_and_moved(service, moved)
    service.confirmed(ADA)
    erase(service, person(service, NEW))
    assert service.status(NEW) is None
    assert (service.status(ADA) or {})["weekly"]["mailable"] is True
    assert service.rows(f"SELECT digest FROM mail_budgets WHERE digest = '{digests(NEW).budget}'") == []
    assert_each_blank_event_is_named(service)


def test_whoever_has_the_old_address_now_is_told_nothing_of_who_had_it(service: Service, moved: Clock) -> None:
    pending_and_moved(service, moved)
    service.confirmed(ADA)
    told = service.get(f"{fresh(service, ADA)}/data.json", headers=BROWSER)
    assert [each["address"] for each in told.get_json()["person"]] == [ADA]
    assert NEW not in told.text
    assert str(person(service, NEW)) not in told.text


def test_after_a_move_the_old_letters_lead_to_no_receipt(service: Service, moved: Clock) -> None:
    letter = service.confirmed()
    moved.shift(HALF_AN_HOUR)
    notice = gone(service)
    for _ in range(2):
        page = service.get(letter.link, headers=BROWSER)
        assert page.status_code == 200
        assert "/receipts/" not in page.text
        service.post(notice.link, headers=BROWSER)
