"""Which web sites may have their visitors' browsers post here, and read the answer."""

import pytest
from werkzeug.test import TestResponse

from tests.features.conftest import CATALOGUE
from tests.service import ADA, Service

SITE = "https://example.org"
OTHER = "https://events.example"


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
