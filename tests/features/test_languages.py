"""In which language a reader is answered, and who is named as speaking."""

import hashlib
import re

import pytest

from tests.catalogues import CATALOGUE
from tests.service import BROWSER, Service


def language_of(service: Service, path: str, accepted: str = "") -> str:
    headers = {**BROWSER, "Accept-Language": accepted}
    found = re.search('<html lang="(..)" dir="ltr">', service.get(path, headers=headers).text)
    assert found, path
    return found[1]


@pytest.mark.parametrize(
    ("asked", "accepted", "answered"),
    [
        ("?language=de", "fr", "de"),
        ("?language=fr-BE", "", "fr"),
        ("?language=nl_BE", "", "nl"),
        ("", "fr;q=0.5, de;q=0.9", "de"),
        ("", "pt, xx", "nl"),
        ("", "", "nl"),
        ("?language=", "fr", "fr"),
        ("?language=%00%ff<b>'", "de", "de"),
        ("?language=" + "x" * 3000, "en", "en"),
        ("?language=xx&language=fr", "en", "en"),
    ],
)
def test_the_url_wins_over_the_browser_and_the_browser_over_the_newsletter(
    service: Service, asked: str, accepted: str, answered: str
) -> None:
    assert language_of(service, f"/newsletters/weekly{asked}", accepted) == answered


def test_where_nothing_is_known_and_no_newsletter_named_it_is_english(service: Service) -> None:
    assert language_of(service, "/", "pt") == "en"
    assert language_of(service, "/nowhere", "") == "en"


def test_what_is_stored_wins_over_the_browser_and_the_url_over_both(service: Service) -> None:
    service.subscribe(language="en")
    link = service.letter().link
    assert language_of(service, link, "fr") == "en"
    assert language_of(service, f"{link}?language=de", "fr") == "de"
    assert language_of(service, f"{link}?language=xx", "fr") == "en"


@pytest.mark.parametrize("language", ["nl", "fr", "de", "en"])
def test_letters_and_pages_are_made_in_each_of_the_four(service: Service, language: str) -> None:
    assert service.submit(language=language).status_code == 303
    letter = service.letter()
    assert f'<html lang="{language}">' in letter.delivered.part("html")
    assert CATALOGUE["newsletter"][0]["title"][language] in letter.subject
    page = service.post(letter.link, headers={**BROWSER, "Accept-Language": ""})
    assert f'<html lang="{language}"' in page.text
    assert CATALOGUE["newsletter"][0]["purpose"][language] in page.text


def test_a_form_is_answered_in_its_own_language_mistakes_and_all(service: Service) -> None:
    answer = service.submit("ada@", language="de")
    assert '<html lang="de"' in answer.text
    assert "Lettre" not in answer.text
    assert "Wochenbrief" in answer.text


def test_each_page_names_newsletter_and_controller_and_leads_to_the_other_languages(service: Service) -> None:
    letter = service.confirmed(language="en")
    for path in ("/newsletters/weekly/inbox", letter.link, "/newsletters/weekly/embed"):
        page = service.get(path, headers=BROWSER).text
        head, foot = page.split("<header>")[1].split("</header>")[0], page.split("<footer>")[1]
        assert "Weekly letter" in head
        assert "Voorbeeld BV" in head
        for part in ("Voorbeeld BV", "Kerkstraat 1, 9000 Gent, Belgium", "mailto:privacy@example.org"):
            assert part in foot
        assert re.findall(r'href="\?language=(..)" lang="\1" hreflang="\1"', foot) == ["nl", "fr", "de", "en"]


def test_a_page_that_answers_a_press_offers_no_other_language(service: Service) -> None:
    service.subscribe(language="en")
    letter = service.letter()
    assert "hreflang" in service.get(letter.link, headers=BROWSER).text
    for answer in (service.post(letter.link, headers=BROWSER), service.submit("ada@", language="en")):
        assert "<footer>" in answer.text
        assert "hreflang" not in answer.text


def test_other_languages_keep_what_makes_the_page_and_nothing_else(service: Service) -> None:
    page = service.get("/newsletters/weekly/inbox?mailbox=gmail&who=ada@example.org", headers=BROWSER).text
    assert 'href="?mailbox=gmail&amp;language=fr"' in page
    assert "ada@" not in page


def test_evidence_of_a_press_cites_the_page_as_it_was_shown(service: Service) -> None:
    """In whichever language it was read."""
    service.subscribe(language="nl")
    link = service.letter().link
    shown = service.get(f"{link}?language=en", headers=BROWSER).text
    action = re.search('<form method="post" action="([^"]+)">', shown)
    assert action
    assert service.post(action[1], headers=BROWSER).status_code == 200
    token = link.rpartition("/")[2]
    masked = shown.replace(token, "%E2%80%A6")
    (event,) = service.rows("SELECT evidence FROM consent_events WHERE type = 'subscription.confirmed'")
    assert hashlib.sha256(masked.encode()).hexdigest() in event.evidence
