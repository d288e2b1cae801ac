"""The privacy notice of each newsletter is one press away wherever somebody can ask for it or agree to it."""

import html
import re
from datetime import timedelta

import pytest
import time_machine

from tests.clocks import EVENING
from tests.preferences import fresh
from tests.service import BOTH, BROWSER, Service


@pytest.fixture
def engine() -> str:
    return "sqlite"


def notices(page: str) -> set[str]:
    return set(re.findall(r'<a href="(?:https://subscribe\.example\.org)?/privacy/([a-z]+)[?"]', html.unescape(page)))


@pytest.mark.parametrize("slug", BOTH)
def test_of_one_newsletter(service: Service, slug: str) -> None:
    service.subscribe(newsletters=slug)
    link = service.letter().link
    for path in (f"/newsletters/{slug}", f"/newsletters/{slug}/embed", f"/newsletters/{slug}/inbox", link):
        assert notices(service.get(path, headers=BROWSER).text) == {slug}, path


def test_of_several(service: Service) -> None:
    with time_machine.travel(EVENING, tick=False) as clock:
        service.subscribe(newsletters=BOTH, language="en")
        link = service.letter().link
        for path in ("/newsletters/weekly?also=events", link, f"{link}?some=1"):
            assert notices(service.get(path, headers=BROWSER).text) == set(BOTH), path
        clock.shift(timedelta(hours=73))
        expired = service.get(link, headers=BROWSER)
        assert "Send me a new mail" in expired.text
        assert notices(expired.text) == set(BOTH)


def test_of_one_that_a_subscriber_may_join(service: Service) -> None:
    service.confirmed()
    assert "events" in notices(service.get(fresh(service), headers=BROWSER).text)


def test_the_form_to_copy_says_what_for_who_asks_and_that_one_can_leave(service: Service) -> None:
    page = html.unescape(html.unescape(service.get("/newsletters/weekly/embed?language=en", headers=BROWSER).text))
    form = page[page.index("<form") : page.index("</form>")]
    assert "One mail a week with news about our books." in form
    assert "Voorbeeld BV asks you this. You can leave at any time." in form
