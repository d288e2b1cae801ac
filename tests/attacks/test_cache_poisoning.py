"""What shared caches may keep is the same for everyone, whatever else a request says; and nothing else may be kept."""

from dataclasses import replace

import pytest

from config import LogPublish, Settings
from tests.service import ADA, BROWSER, Service
from tests.urls import urls


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """The log is open to all, so that there is something of it to keep."""
    return replace(settings, log_publish=LogPublish.LIVE)


UNKEYED = {
    "Host": "evil.example",
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Proto": "http",
    "X-Original-URL": "/unsubscribe/x",
    "X-Rewrite-URL": "/unsubscribe/x",
    "X-HTTP-Method-Override": "POST",
    "Origin": "https://evil.example",
    "Cookie": "language=fr; session=x",
    "User-Agent": "<script>",
    "Referer": "https://evil.example/",
    "Accept": "text/html",
    "Accept-Language": "fr",
}
FOR_CACHES = {"/checkpoint", "/log/key", "/log/consistency", "/log/entries", "/static/jawel.css"}


def test_only_what_is_the_same_for_everyone_may_be_kept(service: Service, tokens: dict[str, str]) -> None:
    kept = set()
    key = service.key("admin")  # type: ignore[arg-type]
    for url in urls(service, tokens):
        for headers in ({**BROWSER, **key}, key, {**key, "Accept": "text/csv"}):
            plain = service.get(url, headers=headers)
            if plain.headers["Cache-Control"] == "no-store":
                assert {"Accept", "Accept-Language"} <= set(", ".join(plain.headers.getlist("Vary")).split(", "))
                continue
            kept.add(plain.request.path)
            assert ADA not in plain.text
            bare, dressed = service.get(url), service.get(url, headers=UNKEYED)
            assert (bare.status, bare.data) == (dressed.status, dressed.data), url
            for answer in (bare, dressed):
                answer.headers.pop("Date", None)  # of the second in which each was asked for
                answer.headers.pop("X-Request-Id")
            assert sorted(bare.headers) == sorted(dressed.headers), url
    assert kept == FOR_CACHES


@pytest.mark.parametrize(
    "path",
    [
        "/static/nowhere.css",
        "/static/../config.py",
        "/nowhere.css",
        "/confirm/x/jawel.css",
        "/log/consistency?from=1&to=9999999",
        "/log/entries?from=9999999",
        "/unsubscribe/x;.css",
        "/api/v1/subscribers/ada@example.org.css",
    ],
)
@pytest.mark.parametrize("accept", ["application/json", "text/html"])
def test_no_error_may_be_kept(service: Service, path: str, accept: str) -> None:
    """A cache that goes by the ending of a name would else keep a page that is not there."""
    answer = service.get(path, headers={"Accept": accept})
    assert answer.status_code >= 400
    assert answer.headers["Cache-Control"] == "no-store"
