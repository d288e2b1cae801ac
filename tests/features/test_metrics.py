"""Figures for monitors: how far the work has come, as the database knows it, and nothing about anyone."""

import re
from dataclasses import replace
from datetime import timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import time_machine
from sqlalchemy import Connection, event, text

from app import clock
from app.api_keys import Scope
from app.database import Base
from app.ledger import sealing
from app.ledger.audit import results
from app.mail import backlog
from app.resources import resources_of
from app.web.application import create_app
from config import SendLimits, Settings
from tests import timestamps
from tests.catalogues import CATALOGUE
from tests.commands import ROOT, Jawel
from tests.features.conftest import OpenService
from tests.figures import figure, figures
from tests.log import grow, without_triggers, write_events
from tests.service import ADA, Service

GROWING = set(Base.metadata.tables) - {"unsealed_events", "checkpoints", "breakers"}
"""Of the first two SQLite reads the first or last rows by their key, and says SCAN of it. Few breakers have tripped."""


def test_before_anything_has_happened_all_is_zero(service: Service) -> None:
    found = figures(service)
    assert found.pop(("jawel_build_info", (version("jawel"),))) == 1
    assert set(found.values()) == {0}
    assert len(found) == 23 + 4 * len(CATALOGUE["newsletter"])


def test_after_a_loop_the_figures_are_right(service: Service) -> None:
    with time_machine.travel("2026-11-23 20:00:00.250+00:00", tick=False) as time:
        service.confirmed()
        assert figure(service, "unsealed_events") == 3
        time.shift(0.75)
        assert figure(service, "unsealed_oldest_age_seconds") == 0.75
        service.work()
        assert figure(service, "log_entries") == 3
        assert figure(service, "unsealed_events") == figure(service, "unsealed_oldest_age_seconds") == 0
        assert figure(service, "letters_owed", "queued") == figure(service, "letters_owed", "deferred") == 0
        assert figure(service, "audit_timestamp_seconds") == clock.now().timestamp()
        assert figure(service, "audit_findings") == 0


def test_letters_that_wait_are_counted_by_state_and_by_how_late_they_are(service: Service) -> None:
    with time_machine.travel(clock.now(), tick=False) as time:
        service.subscribe("first@example.org")
        time.shift(30)
        service.subscribe("second@example.org")
        assert figure(service, "letters_owed", "queued") == 2
        assert figure(service, "letters_oldest_due_age_seconds") == 30
        service.mail.answers_to_rcpt = ["451 4.3.0 later"] * 2
        assert service.work() == []
        assert figure(service, "letters_owed", "deferred") == 2
        assert figure(service, "letters_owed", "queued") == 0
        assert figure(service, "letters_oldest_due_age_seconds") == 0, "none is due before it is to be tried again"


def test_an_allowance_that_letters_wait_for_shows(open_service: OpenService) -> None:
    with time_machine.travel(clock.now(), tick=False) as time:
        service = open_service(send_limits=SendLimits(0, 6, 0, 0, 0))
        service.subscribe("first@example.org")
        time.shift(0.001)
        service.subscribe("second@example.org")
        assert len(service.work()) == 1
        assert figure(service, "allowances_used_up", "letters_to_domain") == 1
        time.shift(60)
        assert len(service.work()) == 1
        time.shift(60)
        assert figure(service, "allowances_used_up", "letters_to_domain") == 0


def test_events_that_nobody_seals_grow_old(service: Service) -> None:
    with time_machine.travel(clock.now(), tick=False) as time:
        write_events(service.database, 2)
        time.shift(timedelta(hours=1))
        write_events(service.database, 1)
        assert figure(service, "unsealed_events") == 3
        assert figure(service, "unsealed_oldest_age_seconds") == 3600


def test_queues_without_end_are_not_counted_to_the_end(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealing, "COUNTED", 2)
    monkeypatch.setattr(backlog, "COUNTED", 2)
    for number in range(3):
        service.subscribe(f"reader{number}@example.org")
    assert figure(service, "unsealed_events") == figure(service, "letters_owed", "queued") == 2


def test_a_finding_of_the_audit_shows(service: Service, jawel: Jawel) -> None:
    grow(service, [5])
    with without_triggers(service.database) as connection:
        connection.execute(text("UPDATE log_entries SET leaf = :other WHERE position = 2"), {"other": bytes(32)})
    before = clock.now().timestamp()
    assert jawel("ledger", "audit").exit_code == 1
    with service.database.read_only() as connection:
        latest = results.latest(connection)
    assert latest
    assert figure(service, "audit_findings") == latest.findings > 0
    assert figure(service, "audit_events") == 5
    assert figure(service, "audit_timestamp_seconds") >= before


def test_each_authority_is_named_by_its_host_and_by_nothing_more(open_service: OpenService, tmp_path: Path) -> None:
    with timestamps.running(tmp_path / "authority") as running:
        guarded = running.url.replace("http://", "http://jawel:sesame@")
        away = ("http://localhost:1/one", "http://localhost:1/two")
        service = open_service(timestamp_authorities=(*away, guarded))
        service.confirmed()
        service.work()
        assert figure(service, "anchor_timestamp_seconds", "127.0.0.1") > clock.now().timestamp() - 60
        assert figure(service, "anchor_timestamp_seconds", "localhost") == 0
        assert "sesame" not in service.get("/metrics", headers=service.key(Scope.METRICS_READ)).text


def test_nothing_in_it_is_about_anyone(service: Service) -> None:
    letter = service.confirmed()
    service.subscribe("grace@example.org")
    said = service.get("/metrics", headers=service.key(Scope.METRICS_READ)).text
    ids = [str(row.id) for row in service.rows("SELECT id FROM subscribers UNION SELECT id FROM subscriptions")]
    token = letter.link.rpartition("/")[2]
    for secret in (ADA, "grace", "example.org", token, *ids, *(each.replace("-", "") for each in ids)):
        assert secret not in said
    assert "@" not in said


def test_every_process_tells_the_same(service: Service, open_service: OpenService) -> None:
    with time_machine.travel(clock.now(), tick=False):
        service.confirmed()
        assert figures(open_service()) == figures(service)


def test_a_scrape_is_a_few_statements_that_read_no_table_from_end_to_end(service: Service) -> None:
    service.confirmed()
    asked: list[tuple[str, Any]] = []
    figures(service)

    def note(*executed: Any) -> None:
        asked.append((executed[2], executed[3]))

    event.listen(service.database.reader, "before_cursor_execute", note)
    figures(service)
    event.remove(service.database.reader, "before_cursor_execute", note)
    assert 0 < len(asked) < 15
    with service.database.read_only() as connection:
        for statement, parameters in asked:
            assert full_scans(connection, statement, parameters) == [], statement


def full_scans(connection: Connection, statement: str, parameters: Any) -> list[str]:
    """As the planner would read tables that were too large to be read whole."""
    if connection.dialect.name == "sqlite":
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
        return [row[3] for row in plan if row[3].removeprefix("SCAN ") in GROWING]
    connection.exec_driver_sql("SET enable_seqscan TO off")
    plan = connection.exec_driver_sql(f"EXPLAIN {statement}", parameters).all()
    return [row[0] for row in plan if "Seq Scan" in row[0]]


@pytest.mark.parametrize("accept", ["text/plain", "application/openmetrics-text;version=1.0.0;q=0.5,*/*;q=0.1"])
def test_without_a_database_it_says_so_and_no_more(settings: Settings, accept: str) -> None:
    app = create_app(replace(settings, database_url="sqlite:////nowhere/jawel.sqlite"))
    answer = app.test_client().get("/metrics", headers={"Accept": accept, "Authorization": "Bearer x"})
    assert (answer.status_code, answer.content_type) == (503, "application/problem+json")
    assert int(answer.headers["Retry-After"]) > 0
    assert "Traceback" not in answer.text
    assert "nowhere" not in answer.text
    resources_of(app).database.dispose()


def test_every_figure_is_explained(open_service: OpenService) -> None:
    service = open_service(timestamp_authorities=("http://localhost:1/one",))
    manual = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
    explained = set(re.findall(r"`(jawel_\w+)", manual.partition("\n## Metrics\n")[2].partition("\n## ")[0]))
    assert explained == {name for name, _labels in figures(service)}
