"""Mirrors follow the log: from a page of everybody, through restarts, and never into another history."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import TestResponse

from app.api_keys import Scope
from app.resources import resources_of
from app.web.api import events
from config import Settings
from tests.api_paths import LOOKUP, PAGE
from tests.features.conftest import OpenService
from tests.log import grow
from tests.service import ADA, BOTH, GRACE, Service

FEED = "/api/v1/events"
NOBODY = "00000000-0000-4000-8000-000000000000"


def ask(service: Service, **question: object) -> TestResponse:
    return service.get(FEED, headers=service.key(Scope.EVENTS_READ), query_string=question)


def followed(service: Service, **question: object) -> dict[str, object]:
    """What a consumer has to keep: what it asks with next time."""
    page = ask(service, **question).get_json()
    return {"after": page["next"], "log": page["log"]}


def is_restarted(answer: TestResponse) -> bool:
    return answer.status_code == 409 and answer.get_json()["type"] == "urn:jawel:problem:log-restarted"


def test_who_follows_the_log_goes_on_with_what_it_was_given(service: Service) -> None:
    kept = followed(service)
    assert kept["after"] == -1
    for grown in ([1], [2], [3, 8], [21]):
        grow(service, grown)
        for limit in (1, 2, 100):
            page = ask(service, **kept, limit=limit)
            assert page.status_code == 200
            kept = {"after": page.get_json()["next"], "log": page.get_json()["log"]}
    assert kept["after"] == 20


def test_a_position_beyond_the_end_is_another_log(service: Service) -> None:
    assert is_restarted(ask(service, after=0))
    grow(service, [3])
    assert ask(service, after=2).status_code == 200
    for question in ({"after": 3}, {"after": 3, "log": "0" * 64}, {"after": 3, "wait": 30}):
        answer = ask(service, **question)
        assert is_restarted(answer)
        assert "/newsletters/{slug}/subscribers" in answer.get_json()["detail"]


def test_another_name_for_the_same_position_is_another_log(service: Service) -> None:
    grow(service, [5])
    kept = followed(service)
    assert is_restarted(ask(service, after=4, log="0" * 64))
    assert is_restarted(ask(service, after=3, log=kept["log"]))
    assert ask(service, **kept).status_code == 200


@pytest.mark.parametrize("engine", ["sqlite"])
def test_a_restored_backup_that_has_grown_since_is_told_from_the_log_that_was_followed(
    service: Service, settings: Settings, open_service: OpenService, tmp_path: Path
) -> None:
    """Else the consumer would miss who left in the stretch that the backup lacks, and mail them for ever."""
    service.confirmed()
    service.work()
    backup = tmp_path / "backup.sqlite"
    service.database.scrub()
    shutil.copy(settings.database_url.removeprefix("sqlite:///"), backup)
    service.confirmed(GRACE)
    service.work()
    kept = followed(service)
    resources_of(service.app).database.dispose()
    restored = open_service(database_url=f"sqlite:///{backup}")
    assert is_restarted(ask(restored, **kept))
    for number in range(4):
        restored.confirmed(f"reader{number}@example.org")
    restored.work()
    assert restored.counts()["log_entries"] > int(str(kept["after"]))
    assert is_restarted(ask(restored, **kept))
    assert is_restarted(ask(restored, **kept, wait=30))


def test_only_what_comes_later(service: Service) -> None:
    assert ask(service, after="latest", wait=30).get_json()["next"] == -1
    grow(service, [4])
    page = ask(service, after="latest", wait=30).get_json()
    assert (page["events"], page["next"]) == ([], 3)
    grow(service, [6])
    later = ask(service, after=3, log=page["log"]).get_json()
    assert [each["position"] for each in later["events"]] == [4, 5]


def test_a_mirror_that_begins_with_a_page_misses_nothing(service: Service) -> None:
    key = service.key(Scope.ADMIN)
    assert service.get(PAGE, headers=key).get_json()["position"] == -1
    service.confirmed()
    unsealed = service.get(PAGE, headers=key).get_json()
    assert (unsealed["position"], len(unsealed["results"])) == (-1, 1)
    service.work()
    page = service.get(f"{PAGE}?limit=1", headers=key).get_json()
    assert page["position"] == 2
    service.confirmed(GRACE)
    service.work()
    later = ask(service, after=page["position"]).get_json()
    assert [each["type"] for each in later["events"]][-1] == "subscription.confirmed"


def test_who_finds_no_room_to_wait_is_told_when_to_come_back(service: Service) -> None:
    taken = [events._seats.acquire(blocking=False) for _ in range(events.WAITING_AT_ONCE)]
    try:
        assert all(taken)
        answer = ask(service, wait=30)
        assert (answer.status_code, answer.get_json()["events"]) == (200, [])
        assert int(answer.headers["Retry-After"]) > 0
        assert "Retry-After" not in ask(service).headers
        grow(service, [1])
        assert "Retry-After" not in ask(service, wait=30).headers
    finally:
        for _ in taken:
            events._seats.release()


def looked_up(service: Service, ids: list[str], **limited: Any) -> Any:
    answer = service.post(LOOKUP, headers=service.key(**limited), json={"ids": ids})
    assert answer.status_code == 200, answer.text
    return answer.get_json()["results"]


def test_the_people_of_events_are_looked_up_together(service: Service) -> None:
    service.confirmed(newsletters=BOTH)
    service.subscribe(GRACE)
    people = [service.get(f"/api/v1/subscribers/{each}", headers=service.key()).get_json() for each in (GRACE, ADA)]
    ids = [people[0]["id"], NOBODY, people[1]["id"], people[0]["id"]]
    nobody = {"id": NOBODY, "status": "unknown"}
    assert looked_up(service, ids) == [people[0], nobody, people[1], people[0]]
    assert looked_up(service, []) == []
    (grace, _nobody, ada, _again) = looked_up(service, ids, newsletters=["events"])
    assert grace == {"id": ids[0], "status": "unknown"}
    assert [each["newsletter"] for each in ada["subscriptions"]] == ["events"]
    assert ada["subscriptions"][0]["links"]["preferences"] is None


@pytest.mark.parametrize(
    ("question", "fields"),
    [
        ({"ids": ["x"]}, ["ids.0"]),
        ({"ids": [NOBODY] * 1001}, ["ids"]),
        ({"ids": [], "newsletter": "weekly"}, ["newsletter"]),
        ({"ids": [], "newsletter": "weekly", "emails": []}, ["newsletter", "emails"]),
        ({}, ["newsletter", "emails"]),
    ],
)
def test_a_lookup_asks_one_thing(service: Service, question: dict[str, object], fields: list[str]) -> None:
    answer = service.post(LOOKUP, headers=service.key(), json=question)
    assert (answer.status_code, [*answer.get_json()["errors"]]) == (422, fields)
