"""Errors as programs need them: told apart by type, fields by words that never change, and in one language each."""

import re
from datetime import timedelta
from itertools import chain
from typing import Any

import pytest
from structlog.contextvars import merge_contextvars
from structlog.testing import capture_logs
from werkzeug.test import TestResponse

from app.api_keys import Scope
from app.web import problem_texts
from tests.api_paths import LOOKUP, PAGE, PERSON, UNSUBSCRIBE
from tests.clocks import Clock
from tests.commands import ROOT
from tests.service import ADA, Service


def kind(answer: TestResponse) -> str:
    assert answer.mimetype == "application/problem+json"
    return str(answer.get_json()["type"]).removeprefix("urn:jawel:problem:")


def test_a_link_that_expired_and_one_that_was_left_since_are_told_apart(service: Service, moved: Clock) -> None:
    service.subscribe()
    link = service.letter().link
    moved.shift(timedelta(hours=73))
    late = service.post(link)
    assert (late.status_code, kind(late)) == (410, "link-expired")
    left = service.confirmed("grace@example.org")
    service.post(left.one_click)
    gone = service.post(left.link)
    assert (gone.status_code, kind(gone)) == (410, "link-ended")


def test_what_is_wrong_with_a_key_is_told_apart(service: Service) -> None:
    assert kind(service.get(PERSON)) == "key-missing"
    assert kind(service.get(PERSON, headers={"Authorization": "Bearer none"})) == "key-invalid"
    assert kind(service.get(PERSON, headers=service.key(Scope.EVENTS_READ))) == "scope-missing"


@pytest.mark.parametrize(
    ("sent", "codes"),
    [
        ({}, {"email": ["invalid_address"], "consent": ["consent_required"]}),
        ({"email": ADA, "consent": "yes"}, {"consent": ["wrong_type"]}),
        ({"email": ADA, "consent": True, "newsletters": ["none"]}, {"newsletters": ["unknown_newsletter"]}),
        ({"email": ADA, "consent": True, "surname": "L"}, {"surname": ["unknown_field"]}),
        ({"email": ADA, "consent": True, "attempt": "short"}, {"attempt": ["wrong_length"]}),
        ({"email": ADA, "consent": True, "redirect": 7}, {"redirect": ["wrong_type"]}),
    ],
)
@pytest.mark.parametrize("language", ["nl", "fr", "de", "en"])
def test_each_message_has_a_word_in_every_language(
    service: Service, sent: dict[str, Any], codes: dict[str, list[str]], language: str
) -> None:
    answer = service.post("/subscribe", json=sent, headers={"Accept-Language": language})
    problem = answer.get_json()
    assert (answer.status_code, problem["error_codes"]) == (422, codes)
    assert answer.headers["Content-Language"] == language
    english = service.post("/subscribe", json=sent, headers={"Accept-Language": "en"}).get_json()
    assert {name: len(texts) for name, texts in problem["errors"].items()} == {
        name: len(words) for name, words in codes.items()
    }
    told = [problem["title"], problem["detail"], *chain(*problem["errors"].values())]
    in_english = [english["title"], english["detail"], *chain(*english["errors"].values())]
    assert all((here == there) == (language == "en") for here, there in zip(told, in_english, strict=True))


def test_the_language_of_the_body_comes_first_then_that_of_the_url(service: Service) -> None:
    sent = {"email": "x", "consent": True, "newsletters": "weekly"}
    headers = {"Accept-Language": "en"}
    url = "/subscribe?language=de"
    assert service.post(url, json={**sent, "language": "fr"}, headers=headers).headers["Content-Language"] == "fr"
    assert service.post(url, json=sent, headers=headers).headers["Content-Language"] == "de"
    assert service.post("/subscribe", json=sent).headers["Content-Language"] == "en"
    assert service.get("/nowhere?language=nl").headers["Content-Language"] == "nl"


def test_the_api_speaks_english_throughout(service: Service) -> None:
    headers = {**service.key(Scope.ADMIN), "Accept-Language": "nl"}
    order = {"email": "nobody@", "language": "fr", "newsletters": ["weekly"]}
    answer = service.post("/api/v1/subscriptions", headers=headers, json=order)
    assert answer.headers["Content-Language"] == "en"
    assert answer.get_json()["errors"] == {"email": ["This is not an e-mail address that mail can be sent to."]}
    assert answer.get_json()["title"] == "Some fields need attention."


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/v1/events?aftr=3"),
        ("GET", f"{PAGE}?offset=1"),
        ("GET", f"{PERSON}?fields=id"),
        ("POST", f"{LOOKUP}?dry=1"),
        ("DELETE", f"{PERSON}?force=1"),
        ("GET", "/log/entries?until=3"),
        ("GET", "/log/key?x=1"),
        ("GET", "/checkpoint?x=1"),
    ],
)
def test_a_parameter_that_nobody_knows_is_an_error_that_names_it(service: Service, method: str, path: str) -> None:
    service.confirmed()
    answer = service.app.test_client().open(path, method=method, headers=service.key(Scope.ADMIN))
    unknown = path.partition("?")[2].partition("=")[0]
    assert (answer.status_code, answer.get_json()["error_codes"]) == (422, {unknown: ["unknown_field"]})
    assert service.status() is not None


def test_both_a_newsletter_and_all_is_told_to_send_one(service: Service) -> None:
    sent = {"email": ADA, "newsletter": "weekly", "all": True}
    answer = service.post(UNSUBSCRIBE, headers=service.key(Scope.SUBSCRIBERS_WRITE), json=sent)
    assert answer.get_json()["errors"] == {"newsletter": ["Send either a newsletter or all: true, not both."]}


@pytest.mark.parametrize(
    ("sent", "is_kept"), [("shop-7.a_B", True), ("x" * 64, True), ("x" * 65, False), ("a b", False), ("\xe9", False)]
)
def test_every_answer_and_its_lines_in_the_log_have_one_id(service: Service, sent: str, is_kept: bool) -> None:
    with capture_logs([merge_contextvars]) as lines:
        answer = service.get(PERSON, headers={"X-Request-Id": sent})
    told = answer.headers["X-Request-Id"]
    assert (told == sent) == is_kept
    assert [line["request_id"] for line in lines] == [told]
    others = [service.get(path).headers["X-Request-Id"] for path in ("/healthz", "/static/jawel.css", "/nowhere")]
    assert len({told, *others}) == 4


def test_every_kind_of_problem_and_error_code_is_on_the_page_of_the_api() -> None:
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "app/web").rglob("*.py")]
    named = set().union(*(re.findall(r'^    kind = "([\w-]+)"', each, re.MULTILINE) for each in sources))
    codes = set().union(*(re.findall(r'CodedMessage\.of\(\s*"(\w+)"', each) for each in sources))
    page = (ROOT / "docs/api.md").read_text(encoding="utf-8")
    named |= set(problem_texts.KINDS.values())
    codes |= {found for _pattern, found in problem_texts._CODES}
    assert {"log-restarted", "too-large"} <= named
    assert sorted(each for each in named | codes if f"`{each}`" not in page) == []
