"""Whoever gets the first mail may never have given their address: it tells why, and where to read more (Art. 14)."""

import re

import pytest

from app.api_keys import Scope
from app.newsletters.definitions import LANGUAGES
from tests.catalogues import catalogue
from tests.clocks import Clock
from tests.features.conftest import OpenService
from tests.preferences import download, fresh
from tests.service import ADA, BOTH, BROWSER, Letter, Service

OURS = "https://subscribe.example.org"


def notice_of(letter: Letter) -> str:
    """The last words of the letter, in both parts: a plain link."""
    *_before, last = letter.text.split()
    html = letter.delivered.part("html")
    assert last.replace("&", "&amp;") == re.findall(r'href="([^"]+)"', html)[-1]
    assert last.startswith(f"{OURS}/privacy/")
    return last.removeprefix(OURS)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_letter_ends_with_the_notice_in_its_language(service: Service, language: str) -> None:
    service.subscribe(language=language)
    page = service.get(notice_of(service.letter()), headers={"Accept": "text/html"})
    assert page.status_code == 200
    assert f'<article lang="{language}">' in page.text


def test_the_notice_names_purpose_ground_and_source_of_that_mail(service: Service) -> None:
    service.subscribe(language="en")
    text = service.get(notice_of(service.letter()), headers={"Accept": "text/plain"}).text
    assert "To ask you by one mail" in text
    assert "that nobody is subscribed by somebody else (GDPR Art. 6(1)(f))" in text
    assert "whoever filled in a form with it, which need not have been you" in text


def test_of_several_newsletters_one_link_leads_to_all_notices(service: Service) -> None:
    service.subscribe(newsletters=BOTH, language="en")
    page = service.get(notice_of(service.letter()), headers=BROWSER).text
    found = {each.partition("?")[0] for each in re.findall(r'href="(/privacy/[^"/]+)"', page)}
    assert "/privacy/weekly" in found
    assert service.get("/privacy/weekly?also=nowhere&also=events", headers=BROWSER).text.count("What happens with") == 1


def test_no_other_letter_carries_it(service: Service) -> None:
    service.confirmed(language="en")
    service.subscribe(language="en")
    assert "/privacy/" not in service.letter().text


def order(service: Service, **stated: str) -> Letter:
    wanted = {"email": ADA, "newsletters": ["weekly"], "language": "en", **stated}
    answer = service.post("/api/v1/subscriptions", json=wanted, headers=service.key(Scope.SUBSCRIBERS_WRITE))
    assert answer.status_code == 202
    return service.letter()


STATED = {"source": "Shop <Gent> & Co", "requested_at": "2026-11-20T10:30:00+01:00"}


def test_of_an_order_letter_and_page_say_when_and_where_it_was_asked_by_its_own_account(
    service: Service, moved: Clock
) -> None:
    """Not when the order came: it may be days later (Art. 14(2)(f))."""
    letter = order(service, **STATED)
    words = "The request was made on 20 November 2026, 10:30 CET. So we were told; the source is named as: %s."
    page = service.get(letter.link, headers=BROWSER).text
    assert words % STATED["source"] in letter.text
    for shown in (letter.delivered.part("html"), page):
        assert words % "Shop &lt;Gent&gt; &amp; Co" in shown
    assert "23 November" not in letter.text + page


def test_what_an_order_does_not_state_is_not_made_up(service: Service, moved: Clock) -> None:
    letter = order(service)
    assert "passed on to us on 23 November 2026, 21:00 CET. The source is named as: shop." in letter.text
    assert "was made on" not in letter.text


def test_its_page_is_named_too(service: Service, moved: Clock) -> None:
    letter = order(service, **STATED, form_url="https://example.org/checkout")
    assert "20 November 2026, 10:30 CET, on https://example.org. So we were told" in letter.text


def test_a_letter_for_a_form_and_an_order_says_both(service: Service, moved: Clock) -> None:
    service.subscribe(newsletters="events", language="en")
    letter = order(service, **STATED)
    assert "The request was made on 23 November 2026" in letter.text
    assert "The request was made on 20 November 2026" in letter.text


def test_the_person_is_shown_the_source_among_their_data(service: Service, moved: Clock) -> None:
    service.post(order(service, **STATED).link)
    link = fresh(service)
    assert download(service, link)["about"]["source"]["services"] == [STATED["source"]]
    assert "Shop &lt;Gent&gt; &amp; Co" in service.get(f"{link}/data", headers=BROWSER).text


def test_an_order_of_long_ago_is_not_heard(service: Service, moved: Clock) -> None:
    wanted = {"email": ADA, "newsletters": ["weekly"], "requested_at": "2026-10-23T20:00:00Z"}
    answer = service.post("/api/v1/subscriptions", json=wanted, headers=service.key(Scope.SUBSCRIBERS_WRITE))
    assert answer.status_code == 422
    assert answer.get_json()["errors"]["requested_at"] == [
        "This is more than 30 days ago. Ask the person again, in your own form."
    ]
    assert service.work() == []


def test_the_day_by_which_it_says_the_address_is_gone_is_kept(open_service: OpenService, moved: Clock) -> None:
    service = open_service(catalogue(confirm_within="1h", purge_pending_after="2d"))
    service.subscribe(newsletters=BOTH, language="en")
    assert "this address is erased by 25 November 2026, unless" in service.letter().text
    moved.move_to("2026-11-25 12:00:00+00:00")
    service.work()
    assert service.rows("SELECT * FROM subscribers") != []
    moved.move_to("2026-11-25 22:59:00+00:00")
    service.work()
    assert service.rows("SELECT * FROM subscribers") == []
