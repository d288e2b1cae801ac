"""`POST /subscribe`: what may be sent, and what comes back."""

import json
from typing import Any

import pytest
import time_machine
from werkzeug.datastructures import MultiDict

from tests.catalogues import CATALOGUE
from tests.features.conftest import OpenService
from tests.service import ADA, BROWSER, Service

THANKS = "https://example.org/thanks"
FIELDS = {"email": ADA, "newsletters": "weekly", "consent": "yes"}


@pytest.mark.parametrize(
    "body",
    [
        {"json": {**FIELDS, "consent": True}},
        {"json": {**FIELDS, "consent": True, "newsletters": ["weekly"]}},
        {"json": {"email": ADA, "newsletter": "weekly", "consent": True}},
        {"data": FIELDS},
        {"data": {"email": ADA, "newsletter": "weekly", "consent": "on"}},
        {"data": FIELDS, "content_type": "multipart/form-data"},
    ],
    ids=["json", "json-list", "json-alias", "urlencoded", "urlencoded-alias", "multipart"],
)
def test_a_program_may_send_any_of_three_body_types(service: Service, body: dict[str, Any]) -> None:
    answer = service.post("/subscribe", **body)
    assert answer.status_code == 202
    assert answer.get_json()["status"] == "accepted"
    assert service.status()["weekly"]["status"] == "pending"


@pytest.mark.parametrize("name", ["newsletters", "newsletter"])
def test_a_form_repeats_the_field_to_ask_for_several(service: Service, name: str) -> None:
    fields = MultiDict([("email", ADA), ("consent", "yes"), (name, "weekly"), (name, "events")])
    assert service.post("/subscribe", data=fields).status_code == 202
    assert (service.status() or {}).keys() == {"weekly", "events"}


def test_a_browser_is_sent_to_a_page_that_says_to_look_in_the_inbox(service: Service) -> None:
    answer = service.submit(language="en")
    assert answer.status_code == 303
    page = service.get(answer.headers["Location"], headers=BROWSER)
    assert page.status_code == 200
    assert "inbox" in page.text
    assert ADA not in answer.headers["Location"] + page.text


def test_a_browser_is_sent_to_the_page_that_the_form_names(service: Service) -> None:
    answer = service.submit(redirect=THANKS)
    assert (answer.status_code, answer.headers["Location"]) == (303, THANKS)


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/",
        "https://example.org/thanks/../x",
        "https://example.org/thanks?next=//evil.example",
        "//example.org/thanks",
        "/\\evil.example",
        "javascript:alert(1)",
        "https://example.org/thanks\r\nSet-Cookie: a=b",
    ],
)
def test_no_form_can_send_people_where_the_newsletter_does_not_say(service: Service, target: str) -> None:
    answer = service.submit(redirect=target)
    assert answer.status_code == 422
    assert "Location" not in answer.headers
    assert "redirects" in service.subscribe(redirect=target).get_json()["errors"]["redirect"][0]
    assert service.status() is None


def test_the_newsletter_may_be_left_out_where_there_is_only_one(service: Service) -> None:
    service.apply({**CATALOGUE, "newsletter": CATALOGUE["newsletter"][:1]})
    assert service.post("/subscribe", json={"email": ADA, "consent": True}).status_code == 202
    assert service.post("/subscribe", data={"email": ADA, "consent": "yes"}).status_code == 202
    assert (service.status() or {}).keys() == {"weekly"}
    again = service.post("/subscribe", data={"email": "ada@", "consent": "yes"}, headers=BROWSER)
    assert again.status_code == 422
    assert '<form method="post" action="/subscribe">' in again.text


def test_the_newsletter_must_be_named_where_there_are_several(service: Service) -> None:
    answer = service.post("/subscribe", json={"email": ADA, "consent": True})
    assert answer.status_code == 422
    assert list(answer.get_json()["errors"]) == ["newsletters"]


@pytest.mark.parametrize("consent", ["true", "yes", "on", "1", "YES"])
def test_a_form_says_yes_in_these_words(service: Service, consent: str) -> None:
    assert service.post("/subscribe", data={**FIELDS, "consent": consent}).status_code == 202


@pytest.mark.parametrize("consent", ["", "no", "false", "0", "off", "y", "ja", "yes please"])
def test_whatever_else_a_form_says_is_no(service: Service, consent: str) -> None:
    answer = service.post("/subscribe", data={**FIELDS, "consent": consent})
    assert answer.status_code == 422
    assert list(answer.get_json()["errors"]) == ["consent"]
    assert service.status() is None


@pytest.mark.parametrize("consent", [False, None, 1, "true", "yes", [True], {"yes": True}])
def test_json_says_yes_with_true_and_nothing_else(service: Service, consent: object) -> None:
    answer = service.subscribe(consent=consent)
    assert answer.status_code == 422
    assert list(answer.get_json()["errors"]) == ["consent"]
    assert service.status() is None


@pytest.mark.parametrize(
    ("asked", "accepted", "spoken"),
    [
        ("en", "nl", "en"),
        ("en-GB", "nl", "en"),
        (None, "en;q=0.9, nl;q=0.5", "en"),
        (None, "xx, de;q=0.5", "de"),
        (None, "xx", "nl"),
        (None, "", "nl"),
        ("xx", "fr", "fr"),
    ],
)
def test_the_language_is_the_one_asked_for_else_the_browsers_else_the_newsletters_first(
    service: Service, asked: str | None, accepted: str, spoken: str
) -> None:
    fields = {"email": ADA, "newsletters": "weekly", "consent": True} | ({"language": asked} if asked else {})
    assert service.post("/subscribe", json=fields, headers={"Accept-Language": accepted}).status_code == 202
    person = service.get(f"/api/v1/subscribers/{ADA}", headers=service.key()).get_json()
    assert person["language"] == spoken


def test_a_program_is_told_of_a_field_that_nobody_knows(service: Service) -> None:
    answer = service.subscribe(shoe_size=43)
    assert answer.status_code == 422
    assert answer.get_json()["errors"] == {"shoe_size": ["Unknown field."]}
    assert service.status() is None


def test_unknown_fields_of_a_form_are_dropped_unread(service: Service) -> None:
    assert service.submit(shoe_size="forty-three", _csrf="secret-of-another-site").status_code == 303
    service.work()
    for table in service.counts():
        kept = str(service.rows(f"SELECT * FROM {table}"))
        assert "forty-three" not in kept
        assert "secret-of-another-site" not in kept


def test_a_mistake_shows_the_form_again_with_what_was_typed(service: Service) -> None:
    answer = service.submit("ada@<b>", consent="", redirect=THANKS, language="nl")
    assert (answer.status_code, answer.mimetype) == (422, "text/html")
    assert 'value="ada@&lt;b&gt;"' in answer.text
    assert f'value="{THANKS}"' in answer.text
    assert '<a href="#email">' in answer.text
    assert '<a href="#consent">' in answer.text
    assert '<html lang="nl"' in answer.text
    assert "Tick the box" not in answer.text
    assert service.submit(language="nl").status_code == 303


def test_a_browser_is_told_on_a_page_when_a_body_is_too_big_or_of_another_kind(service: Service) -> None:
    big = service.submit(shoe_size="4" * 17_000)
    assert (big.status_code, big.mimetype) == (413, "text/html")
    strange = service.post("/subscribe", data=b"<xml/>", content_type="text/xml", headers=BROWSER)
    assert (strange.status_code, strange.mimetype) == (415, "text/html")


@time_machine.travel("2026-11-23 08:00:00+00:00", tick=False)
def test_one_client_that_asks_too_often_is_told_when_to_come_back(service: Service) -> None:
    answers = [service.subscribe(f"reader{number}@example.org") for number in range(61)]
    assert {each.status_code for each in answers[:60]} == {202}
    refused = answers[60]
    assert refused.status_code == 429
    assert 1 <= int(refused.headers["Retry-After"]) <= 61
    assert service.submit().status_code == 429
    elsewhere = service.post(
        "/subscribe", json={**FIELDS, "consent": True}, environ_overrides={"REMOTE_ADDR": "192.0.2.7"}
    )
    assert elsewhere.status_code == 202


def test_a_domain_in_any_script_is_one_domain(service: Service) -> None:
    service.confirmed("Ada@Bücher.Example")
    (row,) = service.rows("SELECT address, canonical FROM subscribers")
    assert row == ("Ada@xn--bcher-kva.example", "ada@xn--bcher-kva.example")
    for spelling in ("ada@BÜCHER.example", "ADA@xn--bcher-kva.EXAMPLE"):
        assert service.status(spelling)["weekly"]["status"] == "confirmed"
    service.subscribe("aDa@bücher.example")
    assert "/confirm/" not in service.letter().text
    assert len(service.rows("SELECT * FROM subscribers")) == 1


def test_letters_link_to_the_configured_address_whatever_host_was_asked(service: Service) -> None:
    headers = {"Host": "evil.example", "X-Forwarded-Host": "evil.example", **BROWSER}
    answer = service.post("/subscribe", data=FIELDS, headers=headers)
    assert "evil.example" not in answer.headers["Location"]
    assert b"evil.example" not in service.letter().delivered.raw


@pytest.mark.parametrize("referer", ["http://[::1", "http://example.org:99999/", "https://example.org/é?a=b#c", "\xff"])
def test_a_strange_referer_is_no_reason_to_refuse(service: Service, referer: str) -> None:
    fields = {**FIELDS, "consent": True}
    assert service.post("/subscribe", json=fields, headers={"Referer": referer}).status_code == 202
    assert service.status()["weekly"]["status"] == "pending"


@pytest.mark.parametrize(
    ("stated", "kept"),
    [
        ("192.0.2.77", "192.0.2.0/24"),
        ("192.0.2.77:5678", "192.0.2.0/24"),
        ("[2001:db8:1:2::3]:5678", "2001:db8:1::/48"),
        ("::ffff:192.0.2.77", "192.0.2.0/24"),
        ("unknown", "unknown"),
    ],
)
def test_evidence_keeps_the_network_of_a_client_however_a_proxy_writes_it(
    open_service: OpenService, stated: str, kept: str
) -> None:
    service = open_service(trusted_proxies=1)
    service.post(
        "/subscribe",
        json={"email": ADA, "newsletters": "weekly", "consent": True},
        headers={"X-Forwarded-For": stated},
    )
    (event,) = service.rows("SELECT evidence FROM consent_events")
    assert json.loads(event.evidence)["client"] == kept
