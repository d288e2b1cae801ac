"""Confirming, as people do it: tired, on a phone, twice, a week later."""

import hashlib
import html
import json
import re
from collections.abc import Callable
from datetime import timedelta
from urllib.parse import quote

import pytest
import time_machine
from werkzeug.test import TestResponse

from app.api_keys import Scope
from tests.catalogues import CATALOGUE
from tests.clocks import EVENING
from tests.concurrency import at_once
from tests.features.conftest import OpenService
from tests.service import ADA, BROWSER, Service, everything

BOTH = ["events", "weekly"]
SEEN = re.compile(r"<(?:button|select|a|input(?![^>]*hidden))\b[^>]*>[^<]*")
"""What can be pressed or filled in."""


def seen(page: str) -> list[str]:
    """Between head and foot, which are the same on every page."""
    return SEEN.findall(page.partition("<main>")[2].partition("</main>")[0])


def read(service: Service, link: str) -> str:
    """The page as a person finds it, which must not be an error."""
    page = service.get(f"{link}?language=en", headers=BROWSER)
    assert page.status_code == 200
    return page.text


def several(service: Service) -> str:
    """The link that asks to confirm two newsletters."""
    service.subscribe(newsletters=BOTH, language="en")
    return service.letter().link


def only_some(service: Service, page: str) -> str:
    """Where the link behind the button leads."""
    (link,) = re.findall('<a href="([^"]+)">Only some of them</a>', page)
    return html.unescape(link)


def statuses(service: Service) -> dict[str, str]:
    return {name: each["status"] for name, each in (service.status() or {}).items()}


def test_there_is_one_button_which_names_all_that_it_confirms_and_comes_first(service: Service) -> None:
    link = several(service)
    page = read(service, link)
    assert "<title>One step left" in page
    first, *links, last = seen(page)
    assert first.endswith(">Confirm Events and Weekly letter")
    assert all(each.startswith("<a ") for each in links)
    assert last.endswith(">This was not me")
    assert 'class="quiet"' in last
    assert page.count("<button") == 2
    assert service.post(link, headers=BROWSER).status_code == 200
    assert statuses(service) == {"events": "confirmed", "weekly": "confirmed"}


def test_only_some_of_them_has_a_box_each_and_none_is_ticked(service: Service) -> None:
    link = several(service)
    page = read(service, link)
    assert "checkbox" not in page
    boxes = service.get(only_some(service, page), headers=BROWSER).text
    assert re.findall('<input [^>]*type="checkbox" name="newsletters" value="([a-z]+)">', boxes) == BOTH
    assert "checked" not in boxes
    assert "Only some of them" not in boxes
    (form,) = re.findall(f'<form method="post" action="({link}[?][^"]*)">', boxes)
    answer = service.post(html.unescape(form), data={"newsletters": "weekly"}, headers=BROWSER)
    assert answer.status_code == 200
    assert statuses(service) == {"events": "pending", "weekly": "confirmed"}


def test_whoever_ticks_nothing_is_told_what_to_do_and_confirms_nothing(service: Service) -> None:
    path = only_some(service, read(service, several(service)))
    before = everything(service)
    answer = service.post(path, data={}, headers=BROWSER)
    assert answer.status_code == 422
    assert '<p class="problem" role="alert" id="problem">Choose at least one' in answer.text
    assert answer.text.count('type="checkbox" name="newsletters"') == 2
    assert "checked" not in answer.text
    assert everything(service) == before


def test_the_form_of_a_version_before_that_is_still_open_confirms_what_it_showed(service: Service) -> None:
    link = several(service)
    assert service.post(link, data={"choose": "1"}, headers=BROWSER).status_code == 422
    answer = service.post(link, data={"choose": "1", "newsletters": "events"}, headers=BROWSER)
    assert answer.status_code == 200
    assert statuses(service) == {"events": "confirmed", "weekly": "pending"}


@pytest.mark.parametrize("boxes", [False, True])
def test_evidence_has_the_fingerprint_of_the_page_that_was_pressed(service: Service, boxes: bool) -> None:
    link = several(service)
    path = only_some(service, read(service, link)) if boxes else link
    shown = service.get(path, headers=BROWSER).text.replace(link.rpartition("/")[2], quote("…"))
    service.post(path, data={"newsletters": BOTH} if boxes else {}, headers=BROWSER)
    found = service.rows("SELECT evidence FROM consent_events WHERE type = 'subscription.confirmed'")
    pages = {json.loads(row.evidence)["page_sha256"] for row in found}
    assert pages == {hashlib.sha256(shown.encode()).hexdigest()}


def test_it_says_who_asks_that_one_can_leave_and_where_each_notice_is(service: Service) -> None:
    link = several(service)
    for page in (read(service, link), service.get(only_some(service, read(service, link)), headers=BROWSER).text):
        assert "Voorbeeld BV asks you this. You can leave at any time." in page
        for slug in BOTH:
            assert re.search(f'<a href="/privacy/{slug}[?"]', page)


def test_the_page_that_says_it_is_done_says_what_was_agreed_and_how_to_leave(service: Service) -> None:
    service.subscribe(language="en")
    done = service.post(service.letter().link, headers=BROWSER)
    assert "Done: you are subscribed" in done.text
    assert "<q>Yes, send me the weekly letter by e-mail.</q>" in done.text
    assert "where one press unsubscribes you" in done.text
    assert "privacy@example.org" in done.text
    assert "/receipts/" in done.text


def test_it_says_the_words_that_were_agreed_to_though_the_catalogue_has_others_now(open_service: OpenService) -> None:
    service = open_service()
    service.subscribe(language="en")
    link = service.letter().link
    weekly, *others = CATALOGUE["newsletter"]
    other_words = {**weekly["consent"], "en": "Yes, and sell my address."}
    later = open_service({**CATALOGUE, "newsletter": [{**weekly, "consent": other_words}, *others]})
    assert "Yes, and sell my address." in later.get("/newsletters/weekly?language=en", headers=BROWSER).text
    asked, done = later.get(link, headers=BROWSER), later.post(link, headers=BROWSER)
    for page in (asked, done, later.get(f"{link}?language=fr", headers=BROWSER)):
        assert page.status_code == 200
        assert "<q>Yes, send me the weekly letter by e-mail.</q>" in page.text
        assert "sell" not in page.text


def test_coming_again_is_never_an_error(service: Service) -> None:
    with time_machine.travel(EVENING, tick=False) as clock:
        service.subscribe(language="en")
        link = service.letter().link
        service.post(link, headers=BROWSER)
        for later in (timedelta(minutes=1), timedelta(days=30), timedelta(days=400)):
            clock.shift(later)
            assert "Done: you are subscribed" in read(service, link)
            assert service.post(link, headers=BROWSER).status_code == 200
        assert "/receipts/" not in read(service, link)


def test_an_expired_link_has_one_button_for_a_new_mail(service: Service) -> None:
    with time_machine.travel(EVENING, tick=False) as clock:
        service.subscribe(language="en")
        link = service.letter().link
        clock.shift(timedelta(hours=72))
        page = service.get(link, headers=BROWSER)
        assert page.status_code == 410
        assert [each.rpartition(">")[2] for each in seen(page.text)] == ["Send me a new mail"]
        assert "inbox" in service.post(f"{link}/resend", headers=BROWSER).text
        again = service.letter()
        assert again.delivered.recipient == ADA
        service.post(again.link, headers=BROWSER)
        assert "Done: you are subscribed" in read(service, link)


@pytest.mark.parametrize("round", range(4))
def test_asking_for_a_new_mail_while_being_erased_brings_nobody_back(service: Service, round: int) -> None:
    with time_machine.travel(EVENING, tick=True) as clock:
        service.subscribe()
        link = service.letter().link
        clock.shift(timedelta(hours=73))
        key = service.key(Scope.SUBSCRIBERS_WRITE)
        person = f"/api/v1/subscribers/{ADA}"
        acts: list[Callable[[], TestResponse]] = [
            lambda: service.post(f"{link}/resend", headers=BROWSER),
            lambda: service.app.test_client().delete(person, headers=key),
            lambda: service.post(f"{link}/resend", headers=BROWSER),
        ]
        assert {answer.status_code for answer in at_once(acts)} <= {200, 204, 410}
        assert service.status() is None
        assert service.work() == []
