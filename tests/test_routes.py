"""Every route: described somewhere, and never answered without the headers that protect a link."""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.routing import Rule

from app.database import Database
from app.newsletters import apply
from app.resources import resources_of
from app.web.application import create_app
from app.web.negotiation import FOR_PROGRAMS
from config import Environment, Settings
from tests.commands import ROOT
from tests.service import ADA, BROWSER

pytestmark = pytest.mark.parametrize("engine", ["sqlite"])

PAGES = {
    "/",
    "/address/<token>",
    "/address/<token>/decline",
    "/address/undo/<token>",
    "/confirm/<token>",
    "/confirm/<token>/decline",
    "/confirm/<token>/resend",
    "/confirm/<token>/undo",
    "/confirm/code",
    "/docs",
    "/feedback/<provider>/<secret>",
    "/healthz",
    "/mailbox",
    "/mailbox/<name>",
    "/mailbox/<name>/html",
    "/mailbox/<name>/raw",
    "/metrics",
    "/newsletters/<slug>",
    "/newsletters/<slug>/embed",
    "/newsletters/<slug>/inbox",
    "/openapi.json",
    "/preferences",
    "/preferences/<token>",
    "/preferences/<token>/address",
    "/preferences/<token>/data",
    "/preferences/<token>/data.json",
    "/preferences/<token>/erase",
    "/preferences/<token>/link",
    "/privacy/<slug>",
    "/privacy/<slug>/<sha256>",
    "/readyz",
    "/receipts/<token>",
    "/receipts/<token>/json",
    "/static/<path:filename>",
    "/unsubscribe/<token>",
    "/unsubscribe/<token>/undo",
}
"""For people, browsers, orchestrators and monitors: what is not here is in the OpenAPI document."""

FOR_EVERYONE = {"/checkpoint", "/log/consistency", "/log/entries", "/log/key"}
"""May be kept by caches: the same for whoever asks, and about nobody."""

WITHOUT_A_KEY = {"/checkpoint", "/log/consistency", "/log/entries", "/log/key"}
"""Of what programs are offered: in part, or altogether."""

FILLED_IN = {"slug": "weekly", "who": ADA, "filename": "jawel.css"}
"""Whatever else a path holds is a token or an id, and nonsense will do for that."""


@pytest.fixture
def app(settings: Settings, database: Database) -> Iterator[Flask]:
    """Every route there is: those of a development machine as well, and those that a setting opens."""
    feedback = replace(settings.feedback, secret="a secret for tests, of some length")
    app = create_app(replace(settings, environment=Environment.DEVELOPMENT, feedback=feedback))
    with database.transaction() as session:
        apply.apply(session, tomllib.loads((ROOT / "newsletters.example.toml").read_text(encoding="utf-8")))
    yield app
    resources_of(app).database.dispose()


def test_every_route_is_described(app: Flask) -> None:
    described = {
        path.replace("{", "<").replace("}", ">") for path in app.test_client().get("/openapi.json").json["paths"]
    }
    routes = {rule.rule.replace("<path:who>", "<who>") for rule in app.url_map.iter_rules()}
    assert routes - described == PAGES


def test_every_operation_of_the_api_is_described(app: Flask) -> None:
    described = app.test_client().get("/openapi.json").json["paths"]
    for rule in app.url_map.iter_rules():
        if rule.rule.startswith("/api/"):
            path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule)
            for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
                operation = described[path][method.lower()]
                assert operation["summary"]
                assert {"default", "200", "202", "204"} & operation["responses"].keys()


def test_whatever_is_for_programs_takes_a_key_or_is_named_here(app: Flask) -> None:
    client = app.test_client()
    described = client.get("/openapi.json").json["paths"]
    for rule in app.url_map.iter_rules():
        if rule.rule.startswith(FOR_PROGRAMS):
            for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
                answer = client.open(filled_in(rule), method=method, json={} if method == "POST" else None)
                assert (answer.status_code == 401) == (rule.rule not in WITHOUT_A_KEY), (method, rule)
                assert "WWW-Authenticate" in answer.headers or rule.rule in WITHOUT_A_KEY
    in_part = [path for path in WITHOUT_A_KEY if {} in described[path]["get"].get("security", [])]
    assert sorted(in_part) == sorted(WITHOUT_A_KEY - {"/log/key"})
    assert described["/log/key"]["get"]["security"] == []


def test_every_answer_carries_the_security_headers_and_no_cookie(app: Flask) -> None:
    client = app.test_client()
    statuses = set()
    for answer in answers(app, client):
        with answer:
            check_headers(answer)
        statuses.add(answer.status_code)
    assert {200, 401, 404, 415} <= statuses


def answers(app: Flask, client: FlaskClient) -> Iterator[Any]:
    for rule in app.url_map.iter_rules():
        path = filled_in(rule)
        for method in rule.methods or ():
            for headers in ({}, BROWSER):
                yield client.open(path, method=method, headers=headers)
        yield client.open(path, method="PATCH")


def filled_in(rule: Rule) -> str:
    return re.sub(r"<(?:\w+:)?(\w+)>", lambda match: FILLED_IN.get(match[1], "nonsense"), rule.rule)


def check_headers(answer: Any) -> None:
    headers = answer.headers
    assert "Content-Security-Policy" in headers, answer.request
    policy = {part.split()[0]: part.split()[1:] for part in headers["Content-Security-Policy"].split(";")}
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == ["'none'"]
    lax = {"'unsafe-inline'", "'unsafe-eval'", "*", "data:"} & {each for part in policy.values() for each in part}
    assert lax <= ({"data:"} if answer.request.path == "/docs" else set())
    path = answer.request.path
    holds_form = path in {"/preferences", "/subscribe"} or re.fullmatch("/newsletters/[^/]+(/embed)?", path)
    assert headers["Referrer-Policy"] in ("no-referrer", "same-origin" if holds_form else "")
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Robots-Tag"] == "noindex"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    # Sites that show our form load its script and style.
    is_file = answer.request.path.startswith("/static/") and answer.status_code < 400
    assert headers["Cross-Origin-Resource-Policy"] == ("cross-origin" if is_file else "same-origin")
    assert "camera=()" in headers["Permissions-Policy"]
    # Of other names under the same domain nothing is said.
    assert headers["Strict-Transport-Security"] == "max-age=31536000"
    may_be_kept = answer.request.path in FOR_EVERYONE or answer.request.path.startswith("/static/")
    assert headers.get("Cache-Control") == "no-store" or may_be_kept
    assert "Set-Cookie" not in headers


@pytest.mark.parametrize("accept", ["application/json", "text/html"])
def test_errors_carry_them_too_and_tell_nothing(
    app: Flask, accept: str, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    def crash() -> str:
        raise RuntimeError(ADA)

    app.add_url_rule("/crash", view_func=crash)
    client = app.test_client()
    for status, answer in (
        (404, client.get("/nowhere", headers={"Accept": accept})),
        (405, client.delete("/subscribe", headers={"Accept": accept})),
        (
            413,
            client.post("/subscribe", data=b"x" * 20_000, content_type="application/json", headers={"Accept": accept}),
        ),
        (500, client.get("/crash", headers={"Accept": accept})),
    ):
        assert answer.status_code == status
        check_headers(answer)
        assert ADA not in answer.text
        assert "Traceback" not in answer.text
        if accept == "application/json":
            assert answer.content_type == "application/problem+json"
            assert answer.json["status"] == status
    assert ADA not in caplog.text + "".join(capsys.readouterr())


def test_an_answer_without_a_database_carries_them_too(settings: Settings) -> None:
    client = create_app(replace(settings, database_url="sqlite:////nowhere/jawel.sqlite")).test_client()
    for path in ("/", "/newsletters/weekly", "/readyz", "/healthz", "/metrics"):
        check_headers(client.get(path))
    answer = client.get("/newsletters/weekly")
    assert answer.status_code == 503
    assert "nowhere" not in answer.text
    assert int(answer.headers["Retry-After"]) > 0
