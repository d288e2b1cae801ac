"""Who left and was erased since is not written to as a stranger (Royal Decree of 4 April 2003, art. 2, 3°; Art. 21(3)).

Services that ask are told, and their orders are not heard; who fills in the public form is.
"""

from collections.abc import Callable
from datetime import timedelta

import pytest
from werkzeug.test import TestResponse

from app import clock
from app.api_keys import Scope
from tests.catalogues import CATALOGUE
from tests.clocks import Clock
from tests.features.conftest import OpenService
from tests.leaving import leave, leave_link
from tests.moving import NEW, gone
from tests.preferences import download, fresh
from tests.service import ADA, BOTH, BROWSER, COOL_DOWN, GRACE, Service, everything
from tests.tombstones import erase

DAY = timedelta(days=1)


def said(service: Service, email: str = ADA, newsletter: str = "weekly") -> str:
    asked = {"newsletter": newsletter, "emails": [email]}
    answer = service.post("/api/v1/subscribers/lookup", json=asked, headers=service.key())
    (found,) = answer.get_json()["results"]
    assert not found["mailable"] or found["status"] == "confirmed"
    return str(found["status"])


def order(service: Service, *newsletters: str, asked: timedelta | None = None) -> TestResponse:
    stated = {} if asked is None else {"requested_at": (clock.now() - asked).isoformat()}
    wanted = {"email": ADA, "newsletters": newsletters or ["weekly"], "language": "en", "source": "shop", **stated}
    answer = service.post("/api/v1/subscriptions", json=wanted, headers=service.key(Scope.SUBSCRIBERS_WRITE))
    assert answer.status_code == 202
    return answer


def leave_and_be_erased(service: Service) -> None:
    service.confirmed(newsletters=BOTH)
    leave(service, leave_link(service))
    service.work()
    erase(service)


def test_a_look_up_says_that_they_left_that_newsletter_and_no_other(service: Service) -> None:
    leave_and_be_erased(service)
    assert service.status() is None
    assert said(service, ADA.upper()) == "unsubscribed"
    assert said(service, newsletter="events") == "unknown"
    assert said(service, GRACE) == "unknown"


def test_an_order_asks_them_only_for_what_they_asked_since(service: Service, moved: Clock) -> None:
    leave_and_be_erased(service)
    moved.shift(3 * DAY)
    for asked in (None, 4 * DAY, 3 * DAY):
        order(service, asked=asked)
        assert service.work() == []
        assert service.status() is None
    order(service, "weekly", "events")
    assert "Events" in service.letter().text
    assert list(service.status() or {}) == ["events"]
    moved.shift(COOL_DOWN)
    order(service, asked=DAY)
    assert "Weekly letter" in service.letter().text


def test_an_order_does_not_bring_back_who_left_and_is_still_kept(service: Service, moved: Clock) -> None:
    service.confirmed()
    leave(service, leave_link(service))
    service.work()
    moved.shift(COOL_DOWN)
    for asked in (None, 2 * COOL_DOWN):
        order(service, asked=asked)
        assert service.work() == []
    assert said(service) == "unsubscribed"
    order(service, asked=timedelta(minutes=1))
    assert service.post(service.letter().link).status_code == 200
    assert said(service) == "confirmed"


def test_an_order_for_who_never_left_need_not_say_when_they_asked(service: Service) -> None:
    service.confirmed(newsletters="events")
    order(service)
    assert order(service).text == order(service, "events").text
    assert list(service.status() or {}) == ["events", "weekly"]


def test_the_public_form_asks_them_as_anybody_and_their_own_press_ends_it(service: Service, moved: Clock) -> None:
    leave_and_be_erased(service)
    answer = service.subscribe(language="en")
    assert answer.text == service.subscribe(GRACE, language="en").text
    letter = next(each for each in service.deliver() if ADA in str(each.delivered.message["To"]))
    assert service.rows("SELECT * FROM leavings"), "a stranger may have filled in the form"
    service.post(letter.link)
    assert said(service) == "confirmed"
    assert service.rows("SELECT * FROM leavings") == []
    erase(service)
    assert said(service) == "unknown"


def test_a_stranger_who_fills_in_the_form_does_not_end_it(service: Service, moved: Clock) -> None:
    leave_and_be_erased(service)
    service.subscribe()
    service.work()
    moved.shift(timedelta(hours=97))
    service.work()
    assert service.status() is None
    assert said(service) == "unsubscribed"


def test_it_outlives_the_years_for_which_evidence_is_kept(service: Service, moved: Clock) -> None:
    service.confirmed()
    leave(service, leave_link(service))
    service.work()
    moved.shift(timedelta(days=3 * 365 + 1))
    service.work()
    assert service.counts()["subscribers"] == 0
    assert said(service) == "unsubscribed"
    moved.shift(timedelta(days=10 * 365))
    service.work()
    assert said(service) == "unsubscribed"


def press_erase(service: Service) -> None:
    assert service.post(f"{fresh(service)}/erase", headers=BROWSER).status_code == 200


ENDINGS: dict[str, Callable[[Service], object]] = {
    "erased while subscribed, by the person": press_erase,
    "erased by a service after leaving": lambda service: (leave(service, leave_link(service)), erase(service)),
    "erased for one newsletter": lambda service: (
        leave(service, leave_link(service)),
        erase(service, newsletters=["weekly"]),
    ),
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_whichever_way_it_is_erased(service: Service, ending: str) -> None:
    service.confirmed()
    ENDINGS[ending](service)
    assert said(service) == "unsubscribed"


def test_who_was_merely_deleted_by_a_service_or_never_confirmed_has_not_left(service: Service) -> None:
    service.confirmed()
    service.subscribe(GRACE)
    service.work()
    for each in (ADA, GRACE):
        erase(service, each)
        assert said(service, each) == "unknown"


def test_who_moved_away_has_left_at_the_former_address_too(service: Service) -> None:
    service.confirmed(newsletters=BOTH)
    leave(service, leave_link(service))
    service.work()
    gone(service)
    assert [said(service), said(service, NEW)] == ["unsubscribed"] * 2
    assert said(service, newsletter="events") == "unknown"
    erase(service, NEW)
    assert [said(service), said(service, NEW)] == ["unsubscribed"] * 2


def test_a_limited_key_learns_nothing_of_other_newsletters(service: Service) -> None:
    leave_and_be_erased(service)
    key = service.key(newsletters=["events"])
    asked = {"newsletter": "weekly", "emails": [ADA]}
    assert service.post("/api/v1/subscribers/lookup", json=asked, headers=key).status_code == 422


def test_a_digest_and_a_day_are_kept_and_nothing_more(service: Service, moved: Clock) -> None:
    leave_and_be_erased(service)
    ((digest, newsletter, day),) = service.rows("SELECT * FROM leavings")
    assert (len(digest), newsletter, str(day)) == (64, "weekly", "2026-11-23")
    before = everything(service)["leavings"]
    erase(service)
    assert everything(service)["leavings"] == before


def test_the_person_is_shown_it(service: Service) -> None:
    leave_and_be_erased(service)
    service.confirmed(newsletters="events", language="en")
    link = fresh(service)
    (kept,) = download(service, link)["leavings"]
    assert kept["newsletter"] == "weekly"
    assert "Weekly letter: left on" in service.get(f"{link}/data", headers=BROWSER).text


def test_before_they_erase_they_are_told(service: Service) -> None:
    service.confirmed(language="en")
    page = service.get(f"{fresh(service)}/erase", headers=BROWSER).text
    assert "until you sign up for it again and confirm" in page


def test_notice_and_record_name_it(open_service: OpenService) -> None:
    service = open_service(CATALOGUE)
    assert "the day on which you left" in service.get("/privacy/weekly?language=en").text
