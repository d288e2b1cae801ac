"""Two strengths of link: one that may have been forwarded lets one leave, a fresh one shows and changes the rest."""

import re
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
import time_machine
from werkzeug.test import TestResponse

from app import clock, suppressions
from app.suppressions import Reason
from tests.concurrency import at_once
from tests.features.conftest import OpenService
from tests.preferences import forwarded
from tests.service import ADA, BOTH, BROWSER, COOL_DOWN, Letter, Service
from tests.states import STATES
from tests.suppressions import digest
from tests.tombstones import erase
from tests.watching import assert_alike, watched
from tests.wire import Links, header

AGREED = "Yes, send me the weekly letter by e-mail."


def ask(service: Service, email: str = ADA, **options: Any) -> TestResponse:
    return service.post("/preferences", data={"email": email, "language": "en"}, headers=BROWSER, **options)


def press(service: Service, link: str) -> str:
    answer = service.post(f"{link}/link", headers=BROWSER)
    assert answer.status_code == 200
    return answer.text


def test_the_page_mails_a_link_that_shows_the_address_and_the_receipts(service: Service) -> None:
    service.confirmed(newsletters=BOTH, language="en")
    form = service.get("/preferences?language=en", headers=BROWSER).text
    assert 'action="/preferences?language=en"' in form
    assert "Look in your inbox" in ask(service).text
    letter = service.letter()
    assert letter.delivered.recipient == ADA
    page = service.get(letter.link, headers=BROWSER)
    assert page.status_code == 200
    assert ADA in page.text
    assert AGREED in page.text
    receipts = re.findall(r'href="https://subscribe\.example\.org(/receipts/\w+)"', page.text)
    events, weekly = (service.get(link, headers=BROWSER) for link in receipts)
    assert events.status_code == weekly.status_code == 200
    assert AGREED in weekly.text
    assert AGREED not in events.text


def test_a_program_may_ask_too(service: Service) -> None:
    service.confirmed(language="en")
    answer = service.post("/preferences", json={"email": "Ada@Example.org"}, headers={"Accept-Language": "en"})
    assert answer.status_code == 202
    message = "If the address is known here, a mail with a link is on its way."
    assert answer.get_json() == {"status": "accepted", "message": message}
    assert service.letter().delivered.recipient == ADA


def test_the_button_of_a_forwarded_link_mails_to_the_person_and_to_nobody_else(service: Service) -> None:
    service.confirmed(language="en")
    link = forwarded(service)
    (action,) = re.findall(r'action="(/preferences/\w+/link)"', service.get(link, headers=BROWSER).text)
    assert service.post(action, data={"email": "eve@example.org"}, headers=BROWSER).status_code == 200
    letter = service.letter()
    assert letter.delivered.recipient == ADA
    assert ADA in service.get(letter.link, headers=BROWSER).text


def crawl(service: Service, start: str) -> dict[str, TestResponse]:
    """Every page that links and forms' targets lead to by GET, from one page on."""
    found: dict[str, TestResponse] = {}
    waiting = [start]
    while waiting:
        path = waiting.pop()
        if path not in found:
            found[path] = service.get(path, headers=BROWSER)
            targets = re.findall(r'(?:href|action)="(?:https://subscribe\.example\.org)?(/[^"]*)"', found[path].text)
            waiting += [target for target in targets if not target.startswith("/static/")]
    return found


def test_whoever_was_forwarded_a_letter_finds_neither_address_nor_receipts_nor_data(service: Service) -> None:
    service.confirmed(newsletters=BOTH, language="en")
    link = forwarded(service)
    guessed = [f"{link}/{each}" for each in ("data", "data.json", "erase", "link")]
    pages = crawl(service, link) | {path: service.get(path, headers=BROWSER) for path in guessed}
    assert {link, f"{link}/link"} <= pages.keys()
    assert not any(path.startswith(("/receipts/", "/confirm/")) for path in pages)
    for path, page in pages.items():
        assert ADA not in page.text, path
        assert AGREED not in page.text or path.startswith("/newsletters/"), path
        assert "commitment" not in page.text, path
    assert "a••@e••.org" in pages[link].text
    assert re.findall(r'name="leave" value="(\w+)"', pages[link].text) == ["events", "weekly"]
    assert 'name="all" value="1"' in pages[link].text
    assert service.get(link.replace("/preferences/", "/receipts/"), headers=BROWSER).status_code == 404


WISHES: list[tuple[str, str, dict[str, str]]] = [
    ("GET", "/data", {}),
    ("GET", "/data.json", {}),
    ("GET", "/erase", {}),
    ("POST", "/erase", {}),
    ("POST", "", {"join": "events", "consent": "yes"}),
    ("POST", "", {"language": "fr"}),
]


@pytest.mark.parametrize(("method", "path", "data"), WISHES)
def test_what_takes_a_fresh_link_is_refused_to_others_with_a_way_on(
    service: Service, method: str, path: str, data: dict[str, str]
) -> None:
    with time_machine.travel("2026-11-23 20:00:00+00:00", tick=True) as time:
        service.confirmed(language="en")
        ask(service)
        stale = service.letter().link
        time.shift(timedelta(minutes=31))
        for link in (forwarded(service), stale):
            service.key()
            before = service.counts()
            wish = partial(service.app.test_client().open, link + path, method=method, data=data)
            page = wish(headers=BROWSER)
            assert page.status_code == 403
            assert f'action="{link}/link"' in page.text
            assert ADA not in page.text
            problem = wish(headers={"Accept": "application/json"})
            assert (problem.status_code, problem.content_type) == (403, "application/problem+json")
            assert service.counts() == before


def test_a_link_is_fresh_for_half_an_hour_from_when_the_letter_is_written(service: Service) -> None:
    with time_machine.travel("2026-11-23 20:00:00+00:00", tick=True) as time:
        service.confirmed(language="en")
        ask(service)
        service.mail.answers_to_data.append("451 4.3.0 later")
        assert service.work() == []
        time.shift(timedelta(minutes=40))
        letter = service.letter()
        assert "This works until 23 November 2026, 22:10 CET" in letter.text
        time.shift(timedelta(minutes=29))
        assert ADA in service.get(letter.link, headers=BROWSER).text
        time.shift(timedelta(minutes=2))
        page = service.get(letter.link, headers=BROWSER)
        assert page.status_code == 200
        assert ADA not in page.text
        assert "Mail me a fresh link" in page.text
        service.post(letter.link, data={"all": "1"}, headers=BROWSER)
        assert service.status()["weekly"]["status"] == "unsubscribed"


def test_a_receipt_is_reached_no_longer_than_the_page_that_led_to_it(service: Service) -> None:
    with time_machine.travel("2026-11-23 20:00:00+00:00", tick=True) as time:
        service.confirmed(language="en")
        ask(service)
        link = service.letter().link
        time.shift(timedelta(minutes=20))
        (receipt,) = re.findall(r'"https://subscribe\.example\.org(/receipts/\w+)"', service.get(link).text)
        time.shift(timedelta(minutes=9))
        assert service.get(receipt, headers=BROWSER).status_code == 200
        time.shift(timedelta(minutes=2))
        assert service.get(receipt, headers=BROWSER).status_code == 410


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
    assert found.tags == {"html", "head", "meta", "title", "body", "p", "a", "br"}
    assert len(re.findall(r"https?://\S+", letter.text)) == 1
    assert header(letter, "Auto-Submitted") == "auto-generated"
    assert header(letter, "List-Id") == "events <events.example.org>"
    assert header(letter, "List-Unsubscribe-Post") == "List-Unsubscribe=One-Click"
    assert letter.one_click.startswith("/unsubscribe/")


def asked_for(service: Service, language: str) -> Letter:
    service.confirmed(newsletters=BOTH, language=language)
    ask(service)
    return service.letter()
