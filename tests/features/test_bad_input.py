"""Whatever is sent that cannot be used: a clear answer, naming the field and the remedy, and nothing stored."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from werkzeug.test import TestResponse

from app.api_keys import Scope
from tests.bodies import DEEP, FORM, JSON
from tests.features.conftest import OpenService
from tests.service import ADA, BROWSER, Service

GOOD = {"email": ADA, "newsletters": "weekly", "consent": True}
MULTIPART_LATIN1 = (
    b"".join(
        b'--x\r\nContent-Disposition: form-data; name="%b"\r\n\r\n%b\r\n' % each
        for each in ((b"email", b"jos\xe9@example.org"), (b"newsletters", b"weekly"), (b"consent", b"yes"))
    )
    + b"--x--"
)


def fields(**changed: object) -> str:
    return json.dumps({**GOOD, **changed})


@dataclass(frozen=True)
class Bad:
    name: str
    body: str | bytes
    status: int = 422
    errors: list[str] = field(default_factory=list)
    content_type: str = JSON


SUBSCRIBE = [
    Bad("not-json", "{", errors=["body"]),
    Bad("empty", "", errors=["body"]),
    Bad("array", "[]", errors=["body"]),
    Bad("null", "null", errors=["body"]),
    Bad("number", "17", errors=["body"]),
    Bad("text", '"ada@example.org"', errors=["body"]),
    Bad("not-utf8", b'{"email": "\xff"}', errors=["body"]),
    Bad("deep", DEEP, errors=["body"]),
    Bad("deep-field", '{"email": ' + DEEP + "}", errors=["body"]),
    Bad("long-number", '{"email": ' + "1" * 5000 + "}", errors=["body"]),
    Bad("nothing", "{}", errors=["email", "consent"]),
    Bad("email-number", fields(email=17), errors=["email"]),
    Bad("email-list", fields(email=[ADA]), errors=["email"]),
    Bad("email-null", fields(email=None), errors=["email"]),
    Bad("email-object", fields(email={"a": 1}), errors=["email"]),
    Bad("email-empty", fields(email=""), errors=["email"]),
    Bad("email-65", fields(email="a" * 65 + "@example.org"), errors=["email"]),
    Bad("email-long", fields(email="a@" + ("b" * 60 + ".") * 5 + "org"), errors=["email"]),
    Bad("email-crlf", fields(email="ada@example.org\r\nBcc: eve@example.org"), errors=["email"]),
    Bad("email-crlf-local", fields(email="ada\r\n@example.org"), errors=["email"]),
    Bad("email-lf", fields(email="ada@exam\nple.org"), errors=["email"]),
    Bad("email-nul", fields(email="ada\0@example.org"), errors=["email"]),
    Bad("email-surrogate", fields(email="\ud800@example.org"), errors=["email"]),
    Bad("domain-surrogate", fields(email="ada@\udfffexample.org"), errors=["email"]),
    Bad("email-two", fields(email="ada@example.org,eve@example.org"), errors=["email"]),
    Bad("email-name", fields(email="Ada <ada@example.org>"), errors=["email"]),
    Bad("email-no-at", fields(email="ada"), errors=["email"]),
    Bad("newsletter-unknown", fields(newsletters="monthly"), errors=["newsletters"]),
    Bad("newsletter-one-unknown", fields(newsletters=["weekly", "monthly"]), errors=["newsletters"]),
    Bad("newsletter-nul", fields(newsletters="weekly\0"), errors=["newsletters"]),
    Bad("newsletter-surrogate", fields(newsletters="\ud800"), errors=["newsletters"]),
    Bad("newsletter-number", fields(newsletters=1), errors=["newsletters"]),
    Bad("newsletter-nested", fields(newsletters=[["weekly"]]), errors=["newsletters"]),
    Bad("newsletter-none", fields(newsletters=[]), errors=["newsletters"]),
    Bad("newsletter-null", fields(newsletters=None), errors=["newsletters"]),
    Bad("newsletter-and-alias", fields(newsletter="weekly"), errors=["newsletter"]),
    Bad("consent-missing", json.dumps({"email": ADA, "newsletters": "weekly"}), errors=["consent"]),
    Bad("consent-false", fields(consent=False), errors=["consent"]),
    Bad("consent-text", fields(consent="true"), errors=["consent"]),
    Bad("language-number", fields(language=1), errors=["language"]),
    Bad("language-crlf", fields(language="en\r\nX: y"), errors=["language"]),
    Bad("language-lf", fields(language="en\n"), errors=["language"]),
    Bad("redirect-list", fields(redirect=["https://example.org/thanks"]), errors=["redirect"]),
    Bad("redirect-other", fields(redirect="https://evil.example/"), errors=["redirect"]),
    Bad("website-number", fields(website=1), errors=["website"]),
    Bad("attempt-short", fields(attempt="short"), errors=["attempt"]),
    Bad("unknown-field", fields(shoe_size=43), errors=["shoe_size"]),
    Bad("unknown-surrogate", '{"\\ud800": 1, ' + fields()[1:], errors=["\ud800"]),
    Bad("twice", '{"consent": false, ' + fields()[1:], errors=["consent"]),
    Bad("twice-email", '{"email": "eve@example.org", ' + fields()[1:], errors=["email"]),
    Bad("big", b"a" * 1_000_000, 413),
    Bad("big-form", b"email=" + b"a" * 1_000_000, 413, content_type=FORM),
    Bad("big-field", fields(email="a" * 17_000), 413),
    Bad("text-plain", fields(), 415, content_type="text/plain"),
    Bad("xml", "<email/>", 415, content_type="application/xml"),
    Bad("no-type", fields(), 415, content_type=""),
    Bad("form-empty", "", errors=["email", "consent"], content_type=FORM),
    Bad("form-latin1", b"email=jos\xe9@example.org&newsletters=weekly&consent=yes", 422, ["consent", "email"], FORM),
    Bad("multipart-latin1", MULTIPART_LATIN1, 422, ["email"], "multipart/form-data; boundary=x"),
    Bad("form-nul", b"email=ada%00@example.org&newsletters=weekly&consent=yes", 422, ["email"], FORM),
    Bad("form-crlf", b"email=ada@example.org%0D%0ABcc:x&newsletters=weekly&consent=yes", 422, ["email"], FORM),
    Bad("form-charset", b"\xff\xfe\x00", 422, ["email", "consent"], f"{FORM}; charset=bogus"),
    Bad("multipart-broken", b"--x\r\nnonsense", 422, ["email", "consent"], "multipart/form-data; boundary=x"),
    Bad("multipart-no-boundary", b"--x", 422, ["email", "consent"], "multipart/form-data"),
]


@pytest.mark.parametrize("bad", SUBSCRIBE, ids=lambda bad: bad.name)
def test_programs_are_told_which_field_people_are_shown_a_page_and_nothing_is_stored(
    service: Service, bad: Bad
) -> None:
    before = service.counts()
    sent: dict[str, Any] = {"data": bad.body, "content_type": bad.content_type or None}
    assert_problem(service.post("/subscribe", **sent), bad)
    page = service.post("/subscribe", headers=BROWSER, **sent)
    assert (page.status_code, page.mimetype) == (bad.status, "text/html")
    assert page.text.startswith("<!doctype html>")
    assert service.counts() == before


def test_what_is_odd_but_clear_is_taken(service: Service) -> None:
    for body, content_type in (
        (fields(email="  ada@example.org "), JSON),
        (fields(), f"{JSON}; charset=bogus"),
        ("\ufeff" + fields(), JSON),
    ):
        assert service.post("/subscribe", data=body.encode(), content_type=content_type).status_code == 202
    assert [row.address for row in service.rows("SELECT address FROM subscribers")] == [ADA]


UNSUBSCRIBE = {"email": ADA, "newsletter": "weekly"}
LOOKUP = {"newsletter": "weekly", "emails": [ADA]}


def of(question: dict[str, Any], **changed: object) -> str:
    return json.dumps({**question, **changed})


API = [
    *((path, bad) for path in ("unsubscribe", "subscribers/lookup") for bad in SUBSCRIBE[:10]),
    *(
        (path, bad)
        for path in ("unsubscribe", "subscribers/lookup")
        for bad in SUBSCRIBE
        if bad.name in ("big", "text-plain", "xml", "no-type")
    ),
    ("unsubscribe", Bad("form", "email=ada@example.org&all=1", 415, content_type=FORM)),
    ("unsubscribe", Bad("nothing", "{}", errors=["email"])),
    ("unsubscribe", Bad("no-scope", of({"email": ADA}), errors=["newsletter"])),
    ("unsubscribe", Bad("both", of(UNSUBSCRIBE, all=True), errors=["newsletter"])),
    ("unsubscribe", Bad("all-text", of({"email": ADA}, all="yes"), errors=["all"])),
    ("unsubscribe", Bad("email-list", of(UNSUBSCRIBE, email=[ADA]), errors=["email"])),
    ("unsubscribe", Bad("email-nul", of(UNSUBSCRIBE, email="a\0@example.org"), errors=["email"])),
    ("unsubscribe", Bad("email-bad", of(UNSUBSCRIBE, email="ada"), errors=["email"])),
    ("unsubscribe", Bad("email-surrogate", of(UNSUBSCRIBE, email="\ud800@example.org"), errors=["email"])),
    ("unsubscribe", Bad("unknown-newsletter", of(UNSUBSCRIBE, newsletter="x"), errors=["newsletter"])),
    ("unsubscribe", Bad("newsletter-nul", of(UNSUBSCRIBE, newsletter="\0"), errors=["newsletter"])),
    ("unsubscribe", Bad("reason-nul", of(UNSUBSCRIBE, reason="\0"), errors=["reason"])),
    ("unsubscribe", Bad("reason-surrogate", of(UNSUBSCRIBE, reason="\ud800"), errors=["reason"])),
    ("unsubscribe", Bad("reason-long", of(UNSUBSCRIBE, reason="x" * 201), errors=["reason"])),
    ("unsubscribe", Bad("unknown-field", of(UNSUBSCRIBE, shoe_size=43), errors=["shoe_size"])),
    ("unsubscribe", Bad("twice", '{"email": "eve@example.org", ' + of(UNSUBSCRIBE)[1:], errors=["email"])),
    ("subscribers/lookup", Bad("nothing", "{}", errors=["emails", "newsletter"])),
    ("subscribers/lookup", Bad("emails-text", of(LOOKUP, emails=ADA), errors=["emails"])),
    ("subscribers/lookup", Bad("emails-nul", of(LOOKUP, emails=["\0"]), errors=["emails.0"])),
    ("subscribers/lookup", Bad("emails-numbers", of(LOOKUP, emails=[1]), errors=["emails.0"])),
    ("subscribers/lookup", Bad("emails-1001", of(LOOKUP, emails=["a@b.example"] * 1001), errors=["emails"])),
    ("subscribers/lookup", Bad("unknown-newsletter", of(LOOKUP, newsletter="x"), errors=["newsletter"])),
]


@pytest.mark.parametrize(("path", "bad"), API, ids=lambda each: each.name if isinstance(each, Bad) else each)
def test_another_service_is_told_which_field_and_nothing_is_stored(service: Service, path: str, bad: Bad) -> None:
    service.confirmed()
    key = service.key(Scope.ADMIN)
    before = service.counts()
    answer = service.post(f"/api/v1/{path}", data=bad.body, content_type=bad.content_type or None, headers=key)
    assert_problem(answer, bad)
    assert service.counts() == before
    assert service.status()["weekly"]["status"] == "confirmed"


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("limit=0", "limit"),
        ("limit=x", "limit"),
        ("limit=1001", "limit"),
        ("status=x", "status"),
        ("cursor=x", "cursor"),
    ],
)
def test_a_bad_question_about_a_page_names_the_parameter(service: Service, query: str, name: str) -> None:
    answer = service.get(f"/api/v1/newsletters/weekly/subscribers?{query}", headers=service.key())
    assert answer.status_code == 422
    assert list(answer.get_json()["errors"]) == [name]


METHODS: list[tuple[str, str, Callable[[TestResponse], bool]]] = [
    ("PUT", "/subscribe", lambda answer: {"POST", "OPTIONS"} == set(answer.allow)),
    ("GET", "/subscribe", lambda answer: {"POST", "OPTIONS"} == set(answer.allow)),
    ("DELETE", "/newsletters/weekly", lambda answer: "GET" in answer.allow and "POST" not in answer.allow),
    ("POST", "/", lambda answer: "GET" in answer.allow),
    ("PATCH", "/confirm/x", lambda answer: {"GET", "POST"} <= set(answer.allow)),
    ("DELETE", "/unsubscribe/x", lambda answer: {"GET", "POST"} <= set(answer.allow)),
    ("GET", "/api/v1/unsubscribe", lambda answer: "POST" in answer.allow),
    ("PUT", "/api/v1/subscribers/lookup", lambda answer: "POST" in answer.allow),
]


@pytest.mark.parametrize(("method", "path", "is_allowed"), METHODS)
def test_a_wrong_method_is_told_the_right_ones(
    service: Service, method: str, path: str, is_allowed: Callable[[TestResponse], bool]
) -> None:
    before = service.counts()
    answer = service.app.test_client().open(path, method=method, json=GOOD)
    assert answer.status_code == 405
    assert answer.mimetype == "application/problem+json"
    assert is_allowed(answer)
    assert service.counts() == before


def assert_problem(answer: TestResponse, bad: Bad) -> None:
    assert (answer.status_code, answer.mimetype) == (bad.status, "application/problem+json")
    problem = json.loads(answer.text)
    assert problem["status"] == bad.status
    assert {"type", "title", "detail"} <= set(problem)
    errors = problem.get("errors", {})
    assert sorted(errors) == sorted(bad.errors)
    assert all(errors.values())


@pytest.mark.parametrize("consent", ["true", 1, "yes", [True], {}])
def test_a_program_is_told_that_json_has_a_truth_value(service: Service, consent: object) -> None:
    errors = service.subscribe(consent=consent).get_json()["errors"]
    assert errors == {"consent": ["Send true, as JSON has it, where the person said yes."]}
    assert service.status() is None


@pytest.mark.parametrize("language", ["in English", 5, ["nl"]])
def test_a_program_is_told_what_a_language_looks_like(service: Service, language: object) -> None:
    errors = service.subscribe(language=language).get_json()["errors"]
    assert errors == {"language": ["Send the tag of a language, such as nl or nl-BE."]}


@pytest.mark.parametrize("end", ["\r\n", "\n", "\r"])
def test_an_address_that_ends_in_a_line_is_none(service: Service, end: str) -> None:
    assert list(service.subscribe(f"{ADA}{end}").get_json()["errors"]) == ["email"]
    assert service.subscribe(f" {ADA}\t").status_code == 202


def test_a_program_is_told_how_much_how_and_when(open_service: OpenService) -> None:
    service = open_service(rate_limit_subscribe=1)
    too_much = service.post("/subscribe", data=b"a" * 1_000_000, content_type=JSON)
    assert too_much.get_json()["detail"] == "Send at most 16,384 bytes."
    assert service.get("/subscribe").get_json()["detail"] == "Allowed here: OPTIONS, POST."
    too_often = service.subscribe()
    assert (
        too_often.get_json()["detail"] == f"Too many requests. Try again in {too_often.headers['Retry-After']} seconds."
    )


def test_where_no_newsletter_is_known_the_page_leads_to_those_that_are(service: Service) -> None:
    page = service.submit(newsletters="nowhere")
    assert page.status_code == 422
    assert 'href="/"' in page.text
    mixed = service.submit(newsletters=["weekly", "nowhere"])
    assert mixed.status_code == 422
    assert 'id="newsletters"' in mixed.text
