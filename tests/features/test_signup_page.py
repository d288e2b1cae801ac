"""The hosted signup page, the page after it, and the form to copy."""

import copy
import html
import json
import re

import pytest
from werkzeug.datastructures import MultiDict
from werkzeug.test import TestResponse

from app.web.signup import webmail
from tests.catalogues import CATALOGUE
from tests.features.conftest import OpenService
from tests.service import ADA, BROWSER, Service

OWN = "https://subscribe.example.org"
SITE = "https://example.org"


def choose(service: Service, *chosen: str, email: str = ADA, page: str = "/newsletters/weekly") -> TestResponse:
    """The form of two newsletters, with these ticked."""
    fields = [("email", email), ("consent", "yes"), ("offered", "weekly"), ("offered", "events"), ("language", "en")]
    sent = MultiDict([*fields, *(("newsletters", each) for each in chosen)])
    return service.post("/subscribe", data=sent, headers={**BROWSER, "Referer": f"{OWN}{page}"})


def boxes(page: str) -> list[str]:
    return re.findall('<input [^>]*type="checkbox"[^>]*>', page)


def test_each_newsletter_on_offer_has_an_unticked_box_with_its_own_words(service: Service) -> None:
    page = service.get("/newsletters/weekly?also=events&also=nowhere&also=weekly&language=en").text
    assert len(boxes(page)) == 2
    assert "checked" not in page
    for words in ("Yes, send me the weekly letter by e-mail.", "Yes, send me the events by e-mail."):
        assert page.count(words) == 1
    assert service.get("/newsletters/weekly?also=nowhere").status_code == 200


def test_evidence_cites_the_words_of_each_in_the_language_in_which_it_was_shown(open_service: OpenService) -> None:
    catalogue = copy.deepcopy(CATALOGUE)
    for newsletter, spoken in zip(catalogue["newsletter"], (["de", "en"], ["nl", "en"]), strict=True):
        newsletter["languages"] = spoken
        for part in ("title", "purpose", "consent"):
            newsletter[part] = {each: newsletter[part][each] for each in spoken}
    service = open_service(catalogue)
    german_first = {**BROWSER, "Accept-Language": "de, en;q=0.8"}
    shown = service.get("/newsletters/weekly?also=events", headers=german_first).text
    assert "Yes, send me the events by e-mail." in shown
    sent = {"email": ADA, "newsletters": ["weekly", "events"], "consent": "yes", "language": "de"}
    assert service.post("/subscribe", data=sent, headers=german_first).status_code == 303
    cited = {}
    for row in service.rows("SELECT newsletter, evidence FROM consent_events"):
        evidence = json.loads(row.evidence)
        (text,) = service.rows(f"SELECT text FROM wordings WHERE sha256 = '{evidence['wordings']['consent']}'")
        assert text.text in shown
        cited[row.newsletter] = evidence["language"]
    assert cited == {"weekly": "de", "events": "en"}


def test_only_what_is_ticked_is_asked_for(service: Service) -> None:
    assert choose(service, "events").status_code == 303
    assert (service.status() or {}).keys() == {"events"}
    (event,) = service.rows("SELECT evidence FROM consent_events")
    assert json.loads(event.evidence)["control"] == {"type": "checkbox", "initial_state": "unchecked"}


def test_nothing_ticked_is_a_mistake_even_where_one_newsletter_is_left(service: Service) -> None:
    service.apply({**CATALOGUE, "newsletter": CATALOGUE["newsletter"][:1]})
    answer = choose(service)
    assert answer.status_code == 422
    assert "Tick at least one newsletter." in answer.text
    assert service.status() is None


def test_a_mistake_offers_both_again_and_ticks_neither(service: Service) -> None:
    answer = choose(service, "events", email="ada@")
    assert answer.status_code == 422
    assert len(boxes(answer.text)) == 2
    assert "checked" not in answer.text
    assert choose(service, "weekly", page="/subscribe").status_code == 303
    (event,) = service.rows("SELECT evidence FROM consent_events")
    assert json.loads(event.evidence)["control"]["initial_state"] == "unchecked"


@pytest.mark.parametrize("page", [f"{SITE}/newsletters/x", "https://subscribe.example.org.evil.example/newsletters/x"])
def test_of_a_foreign_form_it_is_only_known_what_it_sent(service: Service, page: str) -> None:
    fields = {"email": ADA, "newsletters": "weekly", "consent": "yes"}
    service.post("/subscribe", data=fields, headers={**BROWSER, "Referer": page})
    (event,) = service.rows("SELECT evidence FROM consent_events")
    assert json.loads(event.evidence)["control"] == {"type": "stated by the form"}


def test_each_mistake_is_tied_to_its_field(service: Service) -> None:
    page = service.submit("ada@", consent="", language="en").text
    for field in ("email", "consent"):
        assert re.search(f'<input id="{field}"[^>]*aria-invalid="true" aria-describedby="{field}-error"', page)
        assert f'<p class="error" id="{field}-error">' in page
        assert f'<a href="#{field}">' in page
    assert '<div class="problem" role="alert" tabindex="-1" autofocus>' in page


@pytest.mark.parametrize(
    ("email", "key"),
    [
        ("ada@gmail.com", "gmail"),
        ("ada@Hotmail.be", "outlook"),
        ("ada@live.nl", "outlook"),
        ("ada@yahoo.co.uk", "yahoo"),
        ("ada@skynet.be", "proximus"),
        ("ada@gmx.de", "gmx"),
        ("ada@kpnmail.nl", "kpn"),
        ("ada@example.org", None),
        ("ada@gmail.com.example.org", None),
        ("ada@notgmail.com", None),
        ("ada@mail.free.fr", None),
    ],
)
def test_the_page_after_signing_up_leads_to_the_web_mail_and_its_url_names_nobody(
    service: Service, email: str, key: str | None
) -> None:
    where = service.submit(email, language="en").headers["Location"]
    assert ("mailbox=" in where) == (key is not None)
    # The attempt is chosen by chance, and may happen to spell any name.
    assert "ada" not in re.sub(r"(?<=attempt=)[\w-]{24}(?=&|$)", "", where).lower()
    page = service.get(where, headers=BROWSER).text
    link = f'href="{webmail.MAILBOXES[key].url}" rel="noreferrer noopener"' if key else 'class="button"'
    assert (link in page) == (key is not None)
    told = service.subscribe(email).headers.get("Link")
    assert told == (
        f'<{webmail.MAILBOXES[key].url}>; rel="related"; title="{webmail.MAILBOXES[key].name}"' if key else None
    )


@pytest.mark.parametrize("mailbox", ["", "evil", "https://evil.example", "__class__"])
def test_no_url_can_make_the_page_lead_elsewhere(service: Service, mailbox: str) -> None:
    page = service.get("/newsletters/weekly/inbox", query_string={"mailbox": mailbox})
    assert page.status_code == 200
    assert 'class="button"' not in page.text


def test_no_domain_belongs_to_two_providers() -> None:
    domains = [domain for each in webmail.MAILBOXES.values() for domain in each.domains]
    assert len(domains) == len(set(domains))
    assert all(each.url.startswith("https://") for each in webmail.MAILBOXES.values())


def test_the_form_to_copy_signs_up_from_a_site_that_is_allowed(service: Service) -> None:
    page = service.get("/newsletters/weekly/embed?language=fr", headers=BROWSER).text
    field = re.search(r"<textarea[^>]*>\n(.*?)</textarea>", page, re.DOTALL)
    assert field
    form = html.unescape(field[1])
    assert f'action="{OWN}/subscribe"' in form
    assert "Oui, envoyez-moi la lettre de la semaine par e-mail." in form
    assert not re.search(r"<script|<style|style=|checked| id=", form)
    fields = dict(re.findall('name="([a-z]+)" value="([^"]*)"', form))
    assert fields == {"consent": "yes", "newsletters": "weekly", "language": "fr"}
    answer = service.post(
        "/subscribe", data={**fields, "email": ADA, "website": ""}, headers={**BROWSER, "Origin": SITE}
    )
    assert answer.status_code == 303
    assert SITE in page
    assert f"{OWN}/static/jawel.js" in html.unescape(page)


def test_the_form_to_copy_speaks_a_language_that_the_newsletter_has(service: Service) -> None:
    headers = {**BROWSER, "Accept-Language": ""}
    page = service.get("/newsletters/events/embed?language=fr", headers=headers).text
    assert '<html lang="fr"' in page
    assert 'name="language" value="nl"' in page
    assert "Je e-mailadres" in page


def test_words_of_the_catalogue_cannot_break_out_of_the_form_to_copy(service: Service) -> None:
    weekly = CATALOGUE["newsletter"][0]
    nasty = "</textarea><script>alert(1)</script>&\"'"
    consent = {**weekly["consent"], "en": nasty}
    service.apply({**CATALOGUE, "newsletter": [{**weekly, "consent": consent}]})
    page = service.get("/newsletters/weekly/embed?language=en", headers=BROWSER).text
    assert "<script>" not in page
    assert page.count("</textarea>") == 1


def test_the_front_page_lists_what_is_on_offer(service: Service) -> None:
    page = service.get("/?language=en", headers=BROWSER).text
    assert re.findall('<a href="(/newsletters/[^"]+)">', page) == [
        "/newsletters/events?language=en",
        "/newsletters/weekly?language=en",
    ]


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/nowhere", 404), ("DELETE", "/subscribe", 405), ("POST", "/subscribe", 415)]
)
def test_a_page_of_a_problem_says_what_happened_and_what_to_do(
    service: Service, method: str, path: str, status: int
) -> None:
    answer = service.app.test_client().open(path, method=method, headers=BROWSER)
    assert answer.status_code == status
    main = answer.text.split("<main>")[1].split("</main>")[0]
    assert main.count("<h1>") == 1
    assert main.count("<p>") >= 1
