"""Whatever a request claims about the host it was sent to, no link, redirect or letter repeats it."""

import pytest
from werkzeug.test import TestResponse

from tests.features.conftest import OpenService
from tests.service import BROWSER, Service
from tests.urls import urls

EVIL = "evil.example"
CLAIMS = {
    "Host": EVIL,
    "X-Forwarded-Host": EVIL,
    "X-Forwarded-Server": EVIL,
    "X-Host": EVIL,
    "Forwarded": f"host={EVIL}",
    "X-Forwarded-Proto": "http",
    "X-Forwarded-Prefix": f"//{EVIL}",
    "X-Original-URL": f"//{EVIL}/",
}


def check(answer: TestResponse) -> None:
    assert EVIL not in answer.text, answer.request.path
    assert not [name for name, value in answer.headers if EVIL in value], answer.request.path


def test_no_page_repeats_it(service: Service, tokens: dict[str, str]) -> None:
    key = service.key("admin")  # type: ignore[arg-type]
    for url in urls(service, tokens):
        for accept in ({}, BROWSER, {"Accept": "text/csv"}):
            check(service.get(url, headers={**accept, **key, **CLAIMS}))


@pytest.mark.parametrize("proxies", [0, 1])
def test_no_redirect_and_no_letter_repeats_it(open_service: OpenService, proxies: int) -> None:
    service = open_service(trusted_proxies=proxies)
    fields = {"email": "ada@example.org", "newsletters": "weekly", "consent": "yes"}
    answer = service.post("/subscribe", data=fields, headers={**BROWSER, **CLAIMS})
    assert answer.status_code == 303
    check(answer)
    letter = service.letter()
    assert EVIL.encode() not in letter.delivered.raw
    for url in (letter.link, "/newsletters/weekly", "/nowhere", "/newsletters//weekly", "//newsletters/weekly", "///x"):
        check(service.get(url, headers={**BROWSER, **CLAIMS}))
    check(service.post(letter.link, headers={**BROWSER, **CLAIMS}))


@pytest.mark.parametrize("proxies", [0, 1])
def test_a_site_that_is_not_named_is_not_let_in_by_what_it_claims(open_service: OpenService, proxies: int) -> None:
    """A page elsewhere chooses its form's target, but neither Host nor headers of its own."""
    service = open_service(trusted_proxies=proxies)
    fields = {"email": "ada@example.org", "newsletters": "weekly", "consent": "yes"}
    for origin in (f"https://{EVIL}", f"https://subscribe.example.org.{EVIL}", f"https://subscribe.example.org@{EVIL}"):
        sent = {**BROWSER, "Host": "subscribe.example.org", "Origin": origin}
        assert service.post("/subscribe", data=fields, headers=sent).status_code == 403
    assert service.status() is None
