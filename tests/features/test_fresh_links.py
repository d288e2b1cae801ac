"""Two strengths of link: one that may have been forwarded lets one leave, a fresh one shows and changes the rest."""

import re
from datetime import timedelta
from functools import partial

import pytest
import time_machine
from werkzeug.test import TestResponse

from tests.preferences import ask, forwarded
from tests.service import ADA, BOTH, BROWSER, Service

AGREED = "Yes, send me the weekly letter by e-mail."


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
