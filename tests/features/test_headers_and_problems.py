"""What every answer carries, and how things go wrong without telling anything of anyone."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace

import psycopg
import pytest
from sqlalchemy import Engine, text
from werkzeug.test import TestResponse

from app import logs
from app.resources import resources_of
from app.web.application import create_app
from config import Settings
from tests.service import ADA, BROWSER, Service

HOST = "https://subscribe.example.org"
CLIENT = "203.0.113.77"


def test_every_token_page_and_api_answer_keeps_to_itself(service: Service) -> None:
    for answer in answers_of_all_kinds(service):
        headers = answer.headers
        assert headers["Cache-Control"] == "no-store"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Robots-Tag"] == "noindex"
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert "Set-Cookie" not in headers
        assert {"accept", "accept-language"} <= set(", ".join(headers.getlist("Vary")).lower().split(", "))


def answers_of_all_kinds(service: Service) -> list[TestResponse]:
    letter = service.confirmed()
    links = {name: url.removeprefix(HOST) for name, url in service.status()["weekly"]["links"].items()}
    service.subscribe("grace@example.org")
    key = service.key()
    tokens = (letter.link, service.letter().link, f"{letter.link}/decline", *links.values(), "/confirm/forged")
    api = (f"/api/v1/subscribers/{ADA}", "/api/v1/subscribers/nobody@example.org", "/api/v1/nowhere")
    return [
        *(service.get(path, headers=headers) for path in tokens for headers in ({}, BROWSER)),
        *(service.post(path, headers=headers) for path in tokens for headers in ({}, BROWSER)),
        *(service.get(path, headers=headers) for path in api for headers in ({}, key)),
        service.post("/api/v1/subscribers/lookup", headers=key, json={}),
        service.subscribe("new@example.org"),
        service.subscribe("new@"),
        service.submit("new@example.org"),
    ]


def test_the_signup_page_lets_browsers_say_where_its_form_was_sent_from(service: Service) -> None:
    assert service.get("/newsletters/weekly").headers["Referrer-Policy"] == "same-origin"
    assert service.submit("ada@").headers["Referrer-Policy"] == "same-origin"


def test_programs_get_a_problem_document_and_people_a_page(service: Service) -> None:
    document = service.get("/nowhere")
    assert (document.status_code, document.mimetype) == (404, "application/problem+json")
    assert document.json == service.get("/nowhere", headers={"Accept": "application/json"}).json
    assert {"type", "title", "status", "detail"} <= (document.json or {}).keys()
    page = service.get("/nowhere", headers=BROWSER)
    assert (page.status_code, page.mimetype) == (404, "text/html")
    assert "There is nothing here" in page.text
    assert service.get("/api/v1/nowhere", headers=BROWSER).mimetype == "application/problem+json"
    for headers in ({}, BROWSER):
        assert set(service.app.test_client().put("/subscribe", headers=headers).allow) == {"OPTIONS", "POST"}


def broken_table(service: Service) -> Callable[[], TestResponse]:
    """What PostgreSQL then says quotes the statement's parameters, the address among them."""
    with service.database.transaction() as session:
        session.execute(text("ALTER TABLE mail_budgets RENAME TO elsewhere"))
    return service.subscribe


def rotten_row(service: Service) -> Callable[[], TestResponse]:
    service.subscribe()
    with service.database.transaction() as session:
        session.execute(text(f"UPDATE subscribers SET commitment_key = '{ADA}'"))
    return lambda: service.subscribe(newsletters="events")


@pytest.mark.parametrize("harm", [broken_table, rotten_row])
def test_a_crash_says_nothing_of_code_database_or_people(
    service: Service, harm: Callable[[Service], Callable[[], TestResponse]], capfd: pytest.CaptureFixture[str]
) -> None:
    logs.configure(resources_of(service.app).settings)  # from here on to what this test captures
    answer = harm(service)()
    # SQLite reports a missing table by the same error as a missing file.
    expected = {503} if harm is broken_table and service.database.writer.dialect.name == "sqlite" else {500}
    assert answer.status_code in expected
    assert answer.mimetype == "application/problem+json"
    printed = "".join(capfd.readouterr())
    assert "Error" in printed
    for trace in ("Traceback", "psycopg", "sqlite3.", "SELECT", "INSERT", "mail_budgets", ADA):
        assert trace not in answer.text
    for secret in (ADA, "ada@", "[parameters"):
        assert secret not in printed
    assert "Cache-Control" in answer.headers


@pytest.mark.parametrize("origin", [{}, {"Origin": "https://example.org"}])
def test_a_database_that_is_away_is_worth_another_try(
    capfd: pytest.CaptureFixture[str], settings: Settings, origin: dict[str, str]
) -> None:
    away = "sqlite:////nowhere/jawel.sqlite" if "sqlite" in settings.database_url else "postgresql://x@127.0.0.1:1/x"
    app = create_app(replace(settings, database_url=away))
    client = app.test_client()
    fields = {"email": ADA, "newsletters": "weekly", "consent": True}
    for answer in (
        client.post("/subscribe", json=fields, headers=origin),
        client.get("/", headers=origin),
        client.get("/newsletters/weekly", headers={**origin, **BROWSER}),
        client.get(f"/api/v1/subscribers/{ADA}", headers={**origin, "Authorization": "Bearer x"}),
    ):
        assert answer.status_code == 503
        assert int(answer.headers["Retry-After"]) > 0
        assert "sql" not in answer.text.lower()
        assert answer.headers["Content-Security-Policy"]
    assert client.get("/readyz").status_code == 503
    assert client.get("/healthz").status_code == 200
    printed = "".join(capfd.readouterr())
    assert "database.unreachable" in printed
    assert "Traceback" not in printed
    assert ADA not in printed
    resources_of(app).database.dispose()


def test_logs_hold_nothing_personal(
    service: Service, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    logs.configure(resources_of(service.app).settings)  # from here on to what this test captures
    client = service.app.test_client()
    everyone = {"REMOTE_ADDR": CLIENT}
    fields = {"email": "ada.lovelace@analytical.example", "newsletters": "weekly", "consent": True}
    client.post("/subscribe", json=fields, environ_overrides=everyone)
    confirmation = service.letter()
    client.post("/subscribe", json={**fields, "email": "ada.lovelace@"}, environ_overrides=everyone)
    client.post("/subscribe", json={**fields, "consent": False}, environ_overrides=everyone)
    for path in (confirmation.link, f"{confirmation.link}x", f"{confirmation.link}/nowhere"):
        client.get(path, headers=BROWSER, environ_overrides=everyone)
        client.post(path, headers=BROWSER, environ_overrides=everyone)
    key = service.key()
    found = client.get(f"/api/v1/subscribers/{fields['email']}", headers=key, environ_overrides=everyone)
    leave = found.get_json()["subscriptions"][0]["links"]["unsubscribe"].removeprefix(HOST)
    service.mail.answers_to_rcpt.append("450 4.2.1 <ada.lovelace@analytical.example> come back later")
    client.post(leave, environ_overrides=everyone)
    service.work()
    with service.database.transaction() as session:
        session.execute(text("ALTER TABLE mail_budgets RENAME TO elsewhere"))
        session.execute(text("ALTER TABLE subscriptions RENAME TO elsewhere_too"))
    client.post("/subscribe", json=fields, environ_overrides=everyone)
    client.post(leave, environ_overrides=everyone)
    printed = "".join(capfd.readouterr()) + caplog.text
    assert "letter.sent" in printed
    assert "letter.postponed" in printed
    assert "request.crashed" in printed or "database.unreachable" in printed
    tokens = [path.split("/")[2] for path in (confirmation.link, leave)]
    bearer = key["Authorization"].removeprefix("Bearer ")
    for secret in ("lovelace", "analytical", CLIENT, "203.0.113", bearer, bearer[6:20], *tokens):
        assert secret not in printed


@pytest.mark.parametrize("engine", ["postgresql"])
def test_one_answer_is_lost_with_all_connections_and_no_more(service: Service) -> None:
    use_three_at_once(service.database.writer)
    with psycopg.connect(resources_of(service.app).settings.database_url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    answer = service.subscribe()
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    use_three_at_once(service.database.writer)
    assert service.subscribe().status_code == 202


@pytest.mark.parametrize("engine", ["postgresql"])
def test_a_server_that_has_become_a_standby_is_looked_for_anew(service: Service) -> None:
    with ExitStack() as pool:
        for _ in range(3):
            connection = pool.enter_context(service.database.writer.connect())
            connection.execute(text("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY"))
    assert service.subscribe().status_code == 503
    with ExitStack() as pool:
        for _ in range(3):
            connection = pool.enter_context(service.database.writer.connect())
            assert connection.execute(text("SHOW transaction_read_only")).scalar() == "off"
    assert service.subscribe().status_code == 202


def use_three_at_once(engine: Engine) -> None:
    with ExitStack() as pool:
        for _ in range(3):
            pool.enter_context(engine.connect()).execute(text("SELECT 1"))


def test_style_and_script_are_kept_for_an_hour_and_pages_not_at_all(service: Service) -> None:
    for path in ("/static/jawel.css", "/static/jawel.js"):
        assert service.get(path).headers["Cache-Control"] == "public, max-age=3600"
    assert service.get("/newsletters/weekly", headers=BROWSER).headers["Cache-Control"] == "no-store"
