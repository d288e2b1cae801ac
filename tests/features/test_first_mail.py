"""Whoever gets the first mail may never have given their address: it tells why, and where to read more (Art. 14)."""

import re

import pytest

from app.newsletters.definitions import LANGUAGES
from tests.service import BOTH, BROWSER, Letter, Service

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
