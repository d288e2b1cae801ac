"""Asking for a fresh link: by whom, how often, what the answer shows, and what the letter says."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from werkzeug.test import TestResponse

from app import clock, suppressions
from app.suppressions import Reason
from tests.concurrency import at_once
from tests.features.conftest import OpenService
from tests.preferences import ask, forwarded, press
from tests.service import ADA, BOTH, BROWSER, COOL_DOWN, Letter, Service
from tests.states import STATES
from tests.suppressions import digest
from tests.tombstones import erase
from tests.watching import assert_alike, watched
from tests.wire import Links, header


@pytest.mark.parametrize("kind", ["json", "form"])
@pytest.mark.parametrize("arrange", STATES, ids=lambda arrange: arrange.__name__)
def test_no_state_shows_in_answer_or_work(service: Service, arrange: Callable[[Service], None], kind: str) -> None:
    def asks(email: str, client: str) -> Callable[[], TestResponse]:
        options: dict[str, Any] = {"environ_base": {"REMOTE_ADDR": client}}
        if kind == "json":
            return lambda: service.post("/preferences", json={"email": email}, **options)
        return lambda: ask(service, email, **options)

    first, expected = watched(service, asks("somebody.else@example.org", "192.0.2.1"))
    assert service.work() == []
    arrange(service)
    service.work()
    answer, work = watched(service, asks(ADA, "192.0.2.2"))
    assert_alike(answer, first)
    assert work == expected
    assert len(work) >= 2
    (budget,) = service.rows(f"SELECT linked_at FROM mail_budgets WHERE digest = '{digest(service)}'")
    assert budget.linked_at


@pytest.mark.parametrize("email", ["ada", "", "ada@example.org\r\nBcc: eve@example.org", "ada@localhost"])
def test_what_is_no_address_is_named_and_nothing_is_written(service: Service, email: str) -> None:
    before = service.counts()
    answer = service.post("/preferences", json={"email": email}, headers={"Accept-Language": "en"})
    assert answer.status_code == 422
    assert answer.get_json()["errors"] == {"email": ["This is not an e-mail address that mail can be sent to."]}
    page = ask(service, email)
    assert page.status_code == 422
    assert '<a href="#email">This is not an e-mail address that mail can be sent to.</a>' in page.text
    assert service.counts() == before


def test_an_unknown_field_of_a_program_is_refused_and_other_bodies_are(service: Service) -> None:
    answer = service.post("/preferences", json={"email": ADA, "emial": ADA})
    assert (answer.status_code, list(answer.get_json()["errors"])) == (422, ["emial"])
    assert service.post("/preferences", data="x", content_type="text/plain").status_code == 415


def test_one_client_may_ask_as_often_as_it_may_sign_up(open_service: OpenService) -> None:
    service = open_service(rate_limit_subscribe=2)
    with time_machine.travel("2026-11-23 20:00:00+00:00", tick=False):
        assert [ask(service, f"ada{n}@example.org").status_code for n in range(3)] == [200, 200, 429]
        assert int(ask(service).headers["Retry-After"]) > 0
        assert ask(service, environ_base={"REMOTE_ADDR": "192.0.2.9"}).status_code == 200


def test_asking_again_brings_no_second_letter_for_ten_minutes(service: Service) -> None:
    with time_machine.travel("2026-11-23 20:00:00+00:00", tick=True) as time:
        service.confirmed()
        link = forwarded(service)
        first = press(service, link)
        time.shift(COOL_DOWN)
        assert press(service, link) == first
        assert ask(service).status_code == 200
        assert len(service.work()) == 1
        assert press(service, link) == first
        assert service.work() == []
        time.shift(COOL_DOWN)
        assert press(service, link) == first
        assert len(service.work()) == 1


@pytest.mark.parametrize("confirmed", [True, False])
def test_whoever_asks_all_day_in_somebodys_name_brings_them_five_letters(service: Service, confirmed: bool) -> None:
    with time_machine.travel("2026-11-23 20:00:00+00:00", tick=True) as time:
        service.subscribe()
        letter = service.letter()
        if confirmed:
            service.post(letter.link)
        came = 0
        for _ in range(8):
            time.shift(COOL_DOWN)
            assert service.post("/preferences", json={"email": ADA}).status_code == 202
            came += len(service.work())
        assert came == 5
        time.shift(timedelta(days=1))
        service.post("/preferences", json={"email": ADA})
        assert len(service.work()) == 1


def test_signing_up_in_between_does_not_shorten_the_ten_minutes(service: Service) -> None:
    service.confirmed()
    ask(service)
    service.letter()
    service.subscribe(newsletters="events")
    ask(service)
    assert service.work() == []


def test_of_many_presses_at_once_one_brings_a_letter(service: Service) -> None:
    service.confirmed()
    link = forwarded(service)
    answers = at_once([lambda: press(service, link)] * 3 + [lambda: ask(service).text] * 3)
    assert {"inbox" in answer or "mailbox" in answer for answer in answers} == {True}
    assert len(service.deliver()) == 1


def test_neither_asking_nor_the_letter_adds_to_the_log(service: Service) -> None:
    service.confirmed()
    service.work()
    before = service.counts()
    ask(service)
    assert service.get(service.letter().link, headers=BROWSER).status_code == 200
    after = service.counts()
    assert after["letters"] == before["letters"] + 1
    besides = {"letters": 0, "mail_budgets": 0}
    assert after | besides == before | besides


def test_who_has_left_everything_still_gets_a_link_and_the_receipt_of_that(service: Service) -> None:
    service.post(service.confirmed(language="en").one_click)
    service.work()
    link = forwarded(service)
    service.post(link, data={"all": "1"})
    service.work()
    ask(service)
    page = service.get(service.letter().link, headers=BROWSER).text
    assert "You are not subscribed to anything here." in page
    (receipt,) = re.findall(r'"https://subscribe\.example\.org(/receipts/\w+)"', page)
    assert "Consent was given, and withdrawn since." in service.get(receipt, headers=BROWSER).text


def test_an_erased_person_is_answered_alike_and_gets_nothing(service: Service) -> None:
    service.confirmed(language="en")
    link = forwarded(service)
    answer = press(service, link)
    letter = service.letter()
    erase(service)
    assert press(service, link) == answer
    for each in (link, letter.link, f"{letter.link}/data", f"{letter.link}/data.json", f"{letter.link}/erase"):
        page = service.get(each, headers=BROWSER)
        assert page.status_code == 200
        assert "Nothing is kept about you" in page.text
    assert service.get(f"{letter.link}/data.json").status_code == 410
    assert service.post(letter.link, data={"join": "events", "consent": "yes"}, headers=BROWSER).status_code == 200
    assert service.work() == []
    assert service.counts()["letters"] == service.counts()["subscribers"] == 0


def test_erased_before_the_letter_goes_there_is_none(service: Service) -> None:
    service.confirmed()
    ask(service)
    erase(service)
    assert service.work() == []


@pytest.mark.parametrize("reason", [Reason.COMPLAINT, Reason.HARD_BOUNCE])
def test_an_address_that_complained_or_does_not_exist_gets_no_letter(service: Service, reason: Reason) -> None:
    service.confirmed(language="en")
    answer = ask(service)
    with service.database.transaction() as session:
        suppressions.suppress(session, digest(service), reason, since=clock.now())
    assert service.work() == []
    assert ask(service).data == answer.data
    assert service.work() == []


def test_the_letter_is_bare(service: Service) -> None:
    with time_machine.travel("2026-11-23 20:00:00+00:00", tick=False):
        letter = asked_for(service, "en")
    assert letter.subject == "Your subscriptions at Voorbeeld BV"
    for part in (letter.text, letter.delivered.part("html")):
        assert "Voorbeeld BV" in part
        assert "This works until 23 November 2026, 21:30 CET, for whoever has this mail." in part
        assert ADA not in part
    found = Links(letter.delivered.part("html"))
    assert found.addresses == [f"https://subscribe.example.org{letter.link}", "mailto:privacy@example.org"]
    assert found.tags == {"html", "head", "meta", "title", "body", "div", "p", "a", "br"}
    assert len(re.findall(r"https?://\S+", letter.text)) == 1
    assert header(letter, "Auto-Submitted") == "auto-generated"
    assert header(letter, "List-Id") == "events <events.example.org>"
    assert header(letter, "List-Unsubscribe-Post") == "List-Unsubscribe=One-Click"
    assert letter.one_click.startswith("/unsubscribe/")


def test_its_one_click_leaves_everything_that_it_is_about(service: Service) -> None:
    letter = asked_for(service, "en")
    assert service.post(letter.one_click, data={"List-Unsubscribe": "One-Click"}).status_code == 200
    assert {each["status"] for each in (service.status() or {}).values()} == {"unsubscribed"}


def asked_for(service: Service, language: str) -> Letter:
    service.confirmed(newsletters=BOTH, language=language)
    ask(service)
    return service.letter()
