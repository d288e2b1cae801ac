"""The privacy notice: all that GDPR Art. 13 wants told, kept in the very words that people saw."""

import hashlib
import json
from copy import deepcopy
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from app import cache
from app.ledger.verifier import Trust, examine_receipt
from app.newsletters import durations, load, notice
from tests.catalogues import CATALOGUE, Write
from tests.commands import Jawel
from tests.features.conftest import OpenService
from tests.receipts import KEY, ask, receipt_text, subscription, wrong
from tests.service import BROWSER, Service

NOTICE = "/privacy/weekly?language=en"
TEXT = {"Accept": "text/plain"}


@pytest.fixture
def noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A running process notices a new catalogue within a second; here it does at once."""
    monkeypatch.setattr(cache, "FRESH_FOR_SECONDS", 0)


def with_controller(**keys: Any) -> dict[str, Any]:
    changed = deepcopy(CATALOGUE)
    changed["controller"].update(keys)
    return changed


def in_every_language(value: Any) -> dict[str, Any]:
    return dict.fromkeys(("nl", "fr", "de", "en"), value)


def read(service: Service, path: str = NOTICE) -> str:
    answer = service.get(path, headers=TEXT)
    assert answer.status_code == 200
    assert answer.content_type == "text/plain; charset=utf-8"
    return answer.text


def digest(words: str) -> str:
    return hashlib.sha256(words.encode()).hexdigest()


COMPLETE = with_controller(
    representative="Beispiel GmbH, Aachen",
    dpo="Grace Hopper, dpo@example.org",
    recipients=in_every_language(["Postbode BV, Utrecht (sending of mails)", "Voorbeeldhost NV (hosting)"]),
    transfers=in_every_language("Switzerland, under the adequacy decision of 2000."),
)
ARTICLE_13 = {
    "(1)(a) controller": ["- Voorbeeld BV, Kerkstraat 1, 9000 Gent, Belgium", "privacy@example.org", "example.org"],
    "(1)(a) representative": ["- Representative in the European Union: Beispiel GmbH, Aachen"],
    "(1)(b) data protection officer": ["- Data protection officer: Grace Hopper, dpo@example.org"],
    "(1)(c) purposes": ["One mail a week with news about our books.", "To send you this newsletter by e-mail."],
    "(1)(c) legal basis": ["The ground is your consent (GDPR Art. 6(1)(a)).", "GDPR Art. 6(1)(c) and 7(1)"],
    "(1)(d) legitimate interests": ["This is our legitimate interest (GDPR Art. 6(1)(f))."],
    "(1)(e) recipients": ["- Postbode BV, Utrecht (sending of mails)\n- Voorbeeldhost NV (hosting)\n"],
    "(1)(f) transfers": ["## Countries outside", "Switzerland, under the adequacy decision of 2000."],
    "(2)(a) periods": [
        "your address for 4 days; then, for 30 days more",
        "as long as you are subscribed",
        "for 3 years",
    ],
    "(2)(b) rights": [f"Art. {article})" for article in (15, 16, 17, 18, 19, 20)],
    "(2)(b) how": ["/preferences", "you can write to privacy@example.org", "within a month"],
    "(2)(c) withdrawal": [
        "right to withdraw your consent at any time",
        "does not affect the lawfulness of what was done by your consent before",
    ],
    "21(4) objection": ["\n\n## Your right to object\n\nYou can object at any time, and without giving a reason"],
    "(2)(d) complaint": ["you can complain to Gegevensbeschermingsautoriteit", "Art. 77"],
    "(2)(e) no duty": ["No law and no contract asks you for it. Without your e-mail address we cannot"],
    "(2)(f) no automated decisions": [
        "is made by a program alone, and we make no profile",
        "it ends your subscription if",
    ],
    "ePrivacy 5(3)": ["This service sets no cookies, and does not measure whether you open its own mails or click"],
}


@pytest.mark.parametrize("item", ARTICLE_13)
@pytest.mark.parametrize("engine", ["sqlite"])
def test_it_tells_every_item_of_article_13(open_service: OpenService, item: str) -> None:
    told = read(open_service(COMPLETE))
    assert [words for words in ARTICLE_13[item] if words not in told] == []


@pytest.mark.parametrize("engine", ["sqlite"])
def test_what_it_promises_is_what_is_done(service: Service) -> None:
    with service.database.read_only() as connection:
        weekly = load.catalogue(connection).newsletters["weekly"]
    assert durations.in_words(weekly.confirm_within + weekly.purge_pending_after, "en") == "4 days"


@pytest.mark.parametrize(
    ("length", "language", "words"),
    [
        (timedelta(days=3 * 365), "nl", "3 jaar"),
        (timedelta(days=30), "nl", "30 dagen"),
        (timedelta(hours=30), "nl", "1 dag en 6 uur"),
        (timedelta(days=1), "fr", "1\N{NO-BREAK SPACE}jour"),
        (timedelta(hours=72), "de", "3 Tage"),
        (timedelta(hours=25, minutes=30), "en", "1 day, 1 hour, 30 minutes"),
        (timedelta(seconds=90), "en", "1 minute, 30 seconds"),
    ],
)
def test_a_time_is_said_in_words_and_not_rounded(length: timedelta, language: str, words: str) -> None:
    assert durations.in_words(length, language) == words


@pytest.mark.parametrize("engine", ["sqlite"])
def test_who_names_no_recipients_names_their_kinds_and_what_is_not_said_is_not_promised(service: Service) -> None:
    told = read(service)
    assert "Whoever hosts this service, delivers its mail or sends the newsletters, where Voorbeeld BV does not" in told
    assert "European Economic Area" not in told, "only the controller knows"
    assert "The newsletter itself is sent by another program." in told
    assert "Data protection officer" not in told


@pytest.mark.parametrize("engine", ["sqlite"])
def test_it_speaks_the_language_of_its_reader_as_far_as_the_newsletter_does(service: Service) -> None:
    purpose = {"nl": "lezingen en signeersessies", "en": "readings and signings"}
    asked = {"?language=en": "en", "?language=nl": "nl", "?language=fr": "nl", "": "nl"}
    for query, language in asked.items():
        assert purpose[language] in read(service, f"/privacy/events{query}")
        assert f'<article lang="{language}">' in service.get(f"/privacy/events{query}").text
    assert purpose["en"] in service.get("/privacy/events", headers={**TEXT, "Accept-Language": "en-GB"}).text
    assert purpose["nl"] in service.get("/privacy/events?language=nl", headers={"Accept-Language": "en"}).text


def test_evidence_cites_the_bytes_that_people_saw(service: Service) -> None:
    shown = read(service)
    service.confirmed(language="en")
    cited = json.loads(service.rows("SELECT evidence FROM consent_events ORDER BY occurred_at")[0].evidence)["wordings"]
    assert cited["notice"] == digest(shown)
    assert read(service, f"/privacy/weekly/{cited['notice']}") == shown

    receipt = receipt_text(service)
    told = json.loads(receipt)
    assert told["record"]["privacy_notice"]["sha256"] == cited["notice"]
    assert {"sha256": cited["notice"], "text": shown} in told["wordings"]
    url = told["record"]["privacy_notice"]["url"]
    assert url == f"https://subscribe.example.org/privacy/weekly/{cited['notice']}?language=en"
    assert read(service, url.removeprefix("https://subscribe.example.org")) == shown
    assert wrong(examine_receipt(receipt, Trust([KEY]))) == []
    printed = ask(service, subscription(service), "text/html")
    assert f'href="/privacy/weekly/{cited["notice"]}' in printed.text


@pytest.mark.usefixtures("noticed")
def test_new_words_make_a_new_notice_and_the_old_one_stays(service: Service, jawel: Jawel, write: Write) -> None:
    before = read(service)
    file = write("One mail a week with", "One mail each week with")
    plan = "~ weekly: notice.en, purpose.en (new words make a new version; the old ones stay)\n"
    check = jawel("newsletters", "apply", file, "--check")
    assert (check.exit_code, check.stdout) == (1, plan)
    assert read(service) == before
    assert jawel("newsletters", "apply", file).stdout == plan
    assert jawel("newsletters", "apply", file, "--check").exit_code == 0

    after = read(service)
    assert "One mail each week with" in after
    assert read(service, f"/privacy/weekly/{digest(before)}") == before
    old = service.get(f"/privacy/weekly/{digest(before)}", headers=BROWSER).text
    assert "This is an earlier version." in old
    new = service.get(NOTICE, headers=BROWSER).text
    assert "This is an earlier version." not in new
    assert f'href="/privacy/weekly/{digest(before)}' in new


def test_words_that_come_back_are_the_version_they_were(service: Service, jawel: Jawel, write: Write) -> None:
    before = service.counts()["wordings"]
    jawel("newsletters", "apply", write("One mail a week with", "One mail each week with"))
    assert jawel("newsletters", "apply", write("", "")).stdout.startswith("~ weekly: notice.en, purpose.en")
    assert jawel("newsletters", "apply", write("", ""), "--check").exit_code == 0
    assert service.counts()["wordings"] == before + 2
    (row,) = service.rows("SELECT notices FROM newsletters WHERE slug = 'weekly'")
    versions = row.notices if isinstance(row.notices, dict) else json.loads(row.notices)
    assert [len(each) for each in versions.values()] == [1, 1, 1, 2]


@pytest.mark.parametrize("engine", ["sqlite"])
def test_no_request_composes_it(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(notice, "compose")
    assert "One mail a week" in read(service)
    assert service.confirmed(language="en")
    assert '"notice":' in service.rows("SELECT evidence FROM consent_events ORDER BY occurred_at")[0].evidence


def test_an_upgrade_that_words_it_anew_is_part_of_the_plan(
    service: Service, jawel: Jawel, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notice, "TRACES_KEPT_FOR", timedelta(days=14))
    assert "for 30 days more" in read(service), "until it is applied, the notice of before holds"
    assert jawel("newsletters", "apply", write("", "")).stdout.splitlines() == [
        "~ weekly: notice.de, notice.en, notice.fr, notice.nl (new words make a new version; the old ones stay)",
        "~ events: notice.en, notice.nl (new words make a new version; the old ones stay)",
    ]
    assert jawel("newsletters", "apply", write("", "")).stdout == ""


def test_before_the_first_application_it_is_shown_and_not_cited(service: Service, jawel: Jawel, write: Write) -> None:
    with service.database.transaction() as session:
        session.execute(text("UPDATE newsletters SET notices = '{}'"))
    assert "One mail a week" in read(service)
    assert "One mail a week" in service.get(NOTICE, headers=BROWSER).text
    service.confirmed(language="en")
    receipt = receipt_text(service)
    told = json.loads(receipt)["record"]
    assert told["privacy_notice"]["sha256"] == digest(told["purposes"][0]["name"])
    assert wrong(examine_receipt(receipt, Trust([KEY]))) == [], "as are receipts from before there were notices"
    assert "notice.en" in jawel("newsletters", "apply", write("", "")).stdout


@pytest.mark.usefixtures("noticed")
def test_a_retired_newsletter_keeps_its_notice(service: Service) -> None:
    before = read(service, "/privacy/events")
    service.apply({**CATALOGUE, "newsletter": CATALOGUE["newsletter"][:1]})
    assert service.get("/newsletters/events").status_code == 404
    assert read(service, "/privacy/events") == before


@pytest.mark.parametrize("engine", ["sqlite"])
def test_there_is_no_notice_but_those_that_people_were_shown(service: Service) -> None:
    events = digest(read(service, "/privacy/events"))
    purpose = digest("One mail a week with news about our books.")
    for path in ("/privacy/unknown", f"/privacy/weekly/{events}", f"/privacy/weekly/{purpose}", "/privacy/weekly/x"):
        assert service.get(path, headers=BROWSER).status_code == 404, path
    assert service.get(f"/privacy/events/{events}").status_code == 200


@pytest.mark.parametrize("engine", ["sqlite"])
def test_the_page_is_made_of_headings_lists_and_paragraphs(open_service: OpenService) -> None:
    page = open_service(with_controller(name="Voorbeeld <b>& Co</b>")).get(NOTICE, headers=BROWSER).text
    assert page.count("<h1>") == 1
    assert "<h1>Privacy notice: Weekly letter</h1>" in page
    assert "<h2>Your rights</h2>" in page
    assert "<li>You can see your data and get a copy of it (GDPR Art. 15).</li>" in page
    assert '<a href="mailto:privacy@example.org">privacy@example.org</a>' in page
    assert "Voorbeeld &lt;b&gt;&amp; Co&lt;/b&gt;" in page
    assert "## " not in page
