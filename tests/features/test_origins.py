"""Which web sites may have their visitors' browsers post here, and read the answer."""

import pytest
from werkzeug.test import TestResponse

from config import Environment
from tests.catalogues import CATALOGUE
from tests.features.conftest import OpenService
from tests.service import ADA, BROWSER, Service

SITE = "https://example.org"
OTHER = "https://events.example"

SIGNUP = {"email": ADA, "newsletters": "weekly", "consent": True}
CODE = {"attempt": "an attempt of 22 chars.", "code": "123456"}


@pytest.fixture
def service_of_two_sites(service: Service) -> Service:
    weekly, events = CATALOGUE["newsletter"]
    service.apply({**CATALOGUE, "newsletter": [weekly, {**events, "allowed_origins": [OTHER]}]})
    return service


def ask(service: Service, origin: str, newsletters: str | list[str] = "weekly") -> TestResponse:
    fields = {"email": ADA, "newsletters": newsletters, "consent": True}
    return service.post("/subscribe", json=fields, headers={"Origin": origin})


def test_a_listed_site_may_post_and_read_the_answer(service: Service) -> None:
    answer = ask(service, SITE)
    assert answer.status_code == 202
    assert answer.headers["Access-Control-Allow-Origin"] == SITE
    assert "Access-Control-Allow-Credentials" not in answer.headers
    assert "Origin" in answer.vary


def test_a_listed_site_can_read_what_was_wrong(service: Service) -> None:
    answer = service.post("/subscribe", json={"email": ADA, "consent": True}, headers={"Origin": SITE})
    assert answer.status_code == 422
    assert answer.headers["Access-Control-Allow-Origin"] == SITE


def test_a_preflight_is_answered_for_listed_sites_only(service: Service) -> None:
    asking = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
    granted = service.app.test_client().options("/subscribe", headers={"Origin": SITE, **asking})
    assert granted.status_code == 204
    assert granted.headers["Access-Control-Allow-Origin"] == SITE
    assert granted.headers["Access-Control-Allow-Methods"] == "POST"
    assert "content-type" in granted.headers["Access-Control-Allow-Headers"].lower()
    refused = service.app.test_client().options("/subscribe", headers={"Origin": "https://evil.example", **asking})
    assert "Access-Control" not in str(refused.headers)


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "null",
        "http://example.org",
        "https://example.org:8443",
        "https://example.org.evil.example",
        "https://sub.example.org",
        "",
    ],
)
def test_a_site_that_is_not_listed_signs_nobody_up(service: Service, origin: str) -> None:
    answer = ask(service, origin)
    assert answer.status_code == 403
    assert "Access-Control-Allow-Origin" not in answer.headers
    assert service.status() is None


def test_a_site_may_post_for_its_own_newsletter_only(service_of_two_sites: Service) -> None:
    service = service_of_two_sites
    assert ask(service, OTHER, "weekly").status_code == 403
    assert ask(service, OTHER, ["events", "weekly"]).status_code == 403
    assert service.status() is None
    assert ask(service, OTHER, "events").status_code == 202


def test_our_own_page_may_post(service: Service) -> None:
    assert ask(service, "https://subscribe.example.org").status_code == 202


def test_a_site_that_says_no_more_than_its_name_is_named_in_the_letter(service: Service) -> None:
    """Pages under `Referrer-Policy: no-referrer` send an Origin and nothing else."""
    ask(service, SITE)
    assert SITE in service.letter().text


@pytest.mark.parametrize("page", ["https://example.org.evil.example", "https://evil.example/https://example.org/"])
def test_a_site_that_no_newsletter_names_is_not_named(service: Service, page: str) -> None:
    fields = {"email": ADA, "newsletters": "weekly", "consent": True}
    service.post("/subscribe", json=fields, headers={"Referer": page})
    assert "evil" not in service.letter().text


@pytest.mark.parametrize(
    ("path", "body"), [("/subscribe", SIGNUP), ("/confirm/code", CODE), ("/preferences", {"email": ADA})]
)
def test_a_host_that_agrees_with_the_origin_makes_no_site_our_own(
    service: Service, path: str, body: dict[str, object]
) -> None:
    """Whose name leads to our address has browsers say it in both headers."""
    for site in ("evil.example", "evil.example:8000", "localhost:8000", "127.0.0.1:8000"):
        headers = {"Host": site, "Origin": f"http://{site}"}
        assert service.post(path, json=body, headers=headers).status_code == 403
    assert service.status() is None


@pytest.mark.parametrize(
    ("origin", "answered"),
    [
        ("http://127.0.0.1:8000", 202),
        ("http://localhost:8000", 202),
        ("http://[::1]:8000", 202),
        ("http://localhost:8001", 403),
        ("https://localhost:8000", 403),
        ("http://localhost.evil.example:8000", 403),
        ("http://evil.example:8000", 403),
    ],
)
def test_in_development_our_site_has_all_names_of_the_machine_itself(
    open_service: OpenService, origin: str, answered: int
) -> None:
    at_home = {"environment": Environment.DEVELOPMENT, "public_url": "http://127.0.0.1:8000"}
    answer = open_service(**at_home).post(
        "/subscribe", json=SIGNUP, headers={"Origin": origin, "Host": origin.partition("//")[2]}
    )
    assert answer.status_code == answered


@pytest.mark.parametrize("url", ["https://subscribe.example.org:443", "https://Subscribe.Example.ORG"])
def test_our_site_is_named_as_browsers_name_it(open_service: OpenService, url: str) -> None:
    assert ask(open_service(public_url=url), "https://subscribe.example.org").status_code == 202


def ask_for_link(service: Service, origin: str | None) -> TestResponse:
    return service.post("/preferences", data={"email": ADA}, headers={"Origin": origin} if origin is not None else {})


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "", "https://example.org.evil.example"])
def test_a_site_that_is_not_listed_has_no_link_mailed(service: Service, origin: str) -> None:
    service.confirmed()
    answer = ask_for_link(service, origin)
    assert answer.status_code == 403
    assert "Access-Control-Allow-Origin" not in answer.headers
    assert service.work() == []


@pytest.mark.parametrize("origin", [None, SITE, "https://subscribe.example.org"])
def test_a_listed_site_our_own_page_and_a_program_have_a_link_mailed(service: Service, origin: str | None) -> None:
    service.confirmed()
    answer = ask_for_link(service, origin)
    assert answer.status_code == 202
    assert answer.headers.get("Access-Control-Allow-Origin") == (SITE if origin == SITE else None)
    assert service.letter().link.startswith("/preferences/")


def test_what_is_behind_a_link_is_for_no_site_to_read(service: Service) -> None:
    asking = {"Origin": SITE, "Access-Control-Request-Method": "POST"}
    granted = service.app.test_client().options("/preferences", headers=asking)
    assert granted.headers["Access-Control-Allow-Origin"] == SITE
    service.confirmed()
    assert ask_for_link(service, None).status_code == 202
    link = service.letter().link
    for method in ("GET", "POST", "OPTIONS"):
        answer = service.app.test_client().open(link, method=method, headers=asking)
        assert "Access-Control-Allow-Origin" not in answer.headers


def test_the_page_that_asks_for_a_link_has_browsers_say_whose_it_is(service: Service) -> None:
    """Under `no-referrer` they would send `Origin: null`, as anybody may."""
    shown = service.get("/preferences", headers=BROWSER)
    wrong = service.post("/preferences", data={"email": "nobody"}, headers=BROWSER)
    assert (shown.status_code, wrong.status_code) == (200, 422)
    assert shown.headers["Referrer-Policy"] == wrong.headers["Referrer-Policy"] == "same-origin"
