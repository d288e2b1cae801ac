"""The security log: whoever is turned away leaves a line and a count, and nothing of themselves."""

import threading
from collections.abc import MutableMapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from sqlalchemy import event, text
from structlog.testing import capture_logs

from app import clock, metrics_counters
from app.api_keys import Scope
from app.resources import resources_of
from app.web.security_log import REFUSED
from config import Settings
from tests.features.conftest import OpenService
from tests.figures import figure
from tests.service import ADA, BROWSER, Service

SECRET = "a-secret-for-tests-of-some-length"
PERSON = f"/api/v1/subscribers/{ADA}"
BEHIND_A_KEY = [(PERSON, "status:read"), ("/metrics", "metrics:read"), ("/checkpoint", "events:read")]


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return replace(settings, feedback=replace(settings.feedback, secret=SECRET))


Lines = list[MutableMapping[str, Any]]


def refused(said: Lines) -> Lines:
    kept = [line for line in said if line["event"] == "request.refused"]
    return [{name: line[name] for name in line if name not in {"event", "log_level"}} for line in kept]


def test_a_request_without_a_key_leaves_a_line_and_a_count(service: Service) -> None:
    with capture_logs() as said:
        for path, _scope in BEHIND_A_KEY[:2]:
            for headers in ({}, BROWSER, {"Authorization": "Basic YTpi"}):
                assert service.get(path, headers=headers).status_code == 401
    found = refused(said)
    assert [line["kind"] for line in found] == ["no_key"] * 6
    assert [line["route"] for line in found] == ["/api/v1/subscribers/<path:who>"] * 3 + ["/metrics"] * 3
    assert figure(service, "refused_requests_total", "no_key") == 6


@pytest.mark.parametrize(("path", "scope"), BEHIND_A_KEY)
def test_a_bad_key_and_one_without_the_scope_are_told_apart(service: Service, path: str, scope: str) -> None:
    key = service.key(Scope.SUBSCRIBERS_WRITE)
    with capture_logs() as said:
        for headers, status in (({"Authorization": f"{key['Authorization']}x"}, 401), (key, 403)):
            assert service.get(path, headers={**BROWSER, **headers}).status_code == status
    bad, limited = refused(said)
    assert bad.keys() == {"kind", "route"}
    assert (bad["kind"], limited["kind"]) == ("bad_key", "missing_scope")
    assert (limited["key"], limited["scope"]) == ("shop", scope)
    assert key["Authorization"].removeprefix("Bearer ") not in str(said)
    assert figure(service, "refused_requests_total", "bad_key") == 1
    assert figure(service, "refused_requests_total", "missing_scope") == 1


def test_a_wrong_secret_leaves_one_too_and_a_right_one_none(service: Service) -> None:
    with capture_logs() as said:
        assert service.post("/feedback/postmark/a-guess", json={}).status_code == 404
        service.post(f"/feedback/postmark/{SECRET}", json={})
        service.post(f"/feedback/nobody/{SECRET}", json={})
    assert refused(said) == [{"kind": "wrong_secret", "route": "/feedback/<provider>/<secret>"}]
    assert "a-guess" not in str(said)
    assert SECRET not in str(said)
    assert figure(service, "refused_requests_total", "wrong_secret") == 1


def test_whoever_is_turned_away_is_not_in_the_line(service: Service) -> None:
    service.confirmed()
    headers = {"Authorization": "Bearer jawel_of_somebody", "User-Agent": "an unusual browser"}
    with capture_logs() as said:
        service.get(PERSON, headers=headers, environ_base={"REMOTE_ADDR": "192.0.2.77"})
    assert len(refused(said)) == 1
    for personal in (ADA, "jawel_of_somebody", "unusual", "192.0.2"):
        assert personal not in str(said)


def test_whoever_is_let_in_leaves_neither(service: Service) -> None:
    with capture_logs() as said:
        service.get(PERSON, headers=service.key())
        service.get("/checkpoint")
    assert refused(said) == []
    assert counted(service) == {}


def counted(service: Service, name: str = REFUSED) -> dict[str, int]:
    with service.database.read_only() as connection:
        return dict(metrics_counters.read(connection, [name])[name])


def test_a_flood_of_them_is_no_flood_of_writes(service: Service) -> None:
    writes: list[str] = []
    event.listen(service.database.writer, "before_cursor_execute", lambda *executed: writes.append(executed[2]))
    flood = resources_of(service.app).counters
    with time_machine.travel(clock.now(), tick=False):  # within one minute
        for _ in range(20_000):
            flood.count(REFUSED, "no_key")
    assert len([each for each in writes if "counters" in each]) < 500
    told = counted(service)["no_key"]
    assert 20_000 * (1 - 1 / metrics_counters.LOTS) - 1 <= told <= 20_000


def test_all_processes_count_together(service: Service, open_service: OpenService) -> None:
    other = open_service()
    for each in (service, other, service):
        each.get(PERSON)
    assert figure(other, "refused_requests_total", "no_key") == 3


def test_many_threads_lose_no_count(service: Service) -> None:
    many = resources_of(service.app).counters

    def count_ten() -> None:
        for _ in range(10):
            many.count("some", "kind")

    threads = [threading.Thread(target=count_ten) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    many.count("some", "kind")
    assert counted(service, "some")["kind"] in {80, 81}


def test_a_count_that_cannot_be_told_is_told_later_and_holds_up_nobody(
    service: Service,
) -> None:
    with service.database.transaction() as session:
        session.execute(text("ALTER TABLE counters RENAME TO elsewhere"))
    for _ in range(3):
        assert service.get(PERSON).status_code == 401
    with service.database.transaction() as session:
        session.execute(text("ALTER TABLE elsewhere RENAME TO counters"))
    with time_machine.travel(clock.now() + timedelta(minutes=2)):
        assert service.get(PERSON).status_code == 401
    assert counted(service)["no_key"] == 4
