"""One client's posts: every one that writes or owes mail is counted, and beyond the limit none passes but leaving."""

from collections.abc import Iterator
from typing import Any

import pytest
import time_machine
from sqlalchemy import text

from app.web import rate_limits
from tests.correspondence import HOST
from tests.features.conftest import OpenService
from tests.leaving import leave_link
from tests.service import ADA, BROWSER, Service

REFUSED: dict[str, dict[str, str]] = {
    "/subscribe": {"email": "bea@example.org", "newsletters": "weekly", "consent": "yes"},
    "/confirm/code": {"attempt": "an id that the form has chosen", "code": "123456"},
    "{confirm}": {},
    "{confirm}/resend": {},
    "{confirm}/undo": {"undo": "nonsense"},
    "{unsubscribe}/undo": {"undo": "nonsense"},
    "/preferences": {"email": ADA},
    "{preferences}": {"join": "events", "consent": "yes"},
    "{preferences}/link": {},
    "{preferences}/address": {"email": "bea@example.org"},
    "/address/nonsense": {},
    "/address/undo/nonsense": {},
}
TAKEN: dict[str, dict[str, str]] = {
    "{unsubscribe}": {"List-Unsubscribe": "One-Click"},
    "{preferences}": {"leave": "weekly"},
    "{confirm}/decline": {},
}
UNKNOWN: dict[str, dict[str, str]] = {"/address/nonsense/decline": {}, "{preferences}/erase": {}}
"""Never refused for asking often; these two for what they name."""
NOBODYS = {name: f"/{name}/nonsense" for name in ("confirm", "unsubscribe", "preferences")}


@pytest.fixture(autouse=True)
def one_minute() -> Iterator[None]:
    with time_machine.travel("2026-11-23 20:00:10+00:00", tick=False):
        yield


@pytest.fixture
def ada(open_service: OpenService) -> tuple[Service, dict[str, str]]:
    """Somebody confirmed, with the links of her letter; the client has no posts left this minute."""
    service = open_service(rate_limit_subscribe=10)
    links = {"confirm": service.confirmed().link, "unsubscribe": leave_link(service)}
    links["preferences"] = service.status()["weekly"]["links"]["preferences"].removeprefix(HOST)
    for _ in range(10):
        service.post("/subscribe")
    return service, links


@pytest.mark.parametrize("path", REFUSED)
def test_beyond_the_limit_a_post_is_refused_with_when_to_come_back(
    ada: tuple[Service, dict[str, str]], path: str
) -> None:
    service, links = ada
    before = service.counts()
    answer = service.post(path.format(**links), data=REFUSED[path])
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "50")
    assert service.counts() == before
    assert service.post(path.format(**links), data=REFUSED[path], headers=BROWSER).status_code == 429


@pytest.mark.parametrize("path", TAKEN)
def test_leaving_is_never_refused(ada: tuple[Service, dict[str, str]], path: str) -> None:
    service, links = ada
    assert service.post(path.format(**links), data=TAKEN[path]).status_code == 200
    assert service.status()["weekly"]["status"] == "unsubscribed"


@pytest.mark.parametrize("path", UNKNOWN)
def test_nor_are_its_other_ways(ada: tuple[Service, dict[str, str]], path: str) -> None:
    service, links = ada
    assert service.post(path.format(**links), data=UNKNOWN[path]).status_code in {403, 404}


@pytest.mark.parametrize("path", [*REFUSED, *TAKEN, *UNKNOWN])
def test_each_of_them_counts(open_service: OpenService, path: str) -> None:
    service = open_service(rate_limit_subscribe=10)
    for _ in range(10):
        service.post(path.format(**NOBODYS), data={})
    assert service.subscribe().status_code == 429


def test_another_service_with_a_key_is_not_counted(ada: tuple[Service, dict[str, str]]) -> None:
    service, _links = ada
    asked = {"newsletter": "weekly", "emails": [ADA]}
    assert service.post("/api/v1/subscribers/lookup", json=asked, headers=service.key()).status_code == 200


def test_nobody_is_kept_from_leaving_where_posts_cannot_be_counted(
    open_service: OpenService, capsys: pytest.CaptureFixture[str]
) -> None:
    service = open_service(rate_limit_subscribe=100)
    service.confirmed()
    link = leave_link(service)
    with service.database.writer.begin() as connection:
        connection.execute(text("DROP TABLE rate_limits"))
    elsewhere: dict[str, Any] = {"environ_base": {"REMOTE_ADDR": "192.0.2.7"}}
    answers = [service.post(link, data={"List-Unsubscribe": "One-Click"}, **elsewhere) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert service.status()["weekly"]["status"] == "unsubscribed"
    assert "limits.not_counted" in capsys.readouterr().out


@pytest.mark.parametrize("engine", ["sqlite"])
def test_every_post_that_needs_no_secret_is_among_these(service: Service) -> None:
    adapter = service.app.url_map.bind("subscribe.example.org")
    named = {adapter.match(path.format(**NOBODYS), method="POST")[0] for path in [*REFUSED, *TAKEN, *UNKNOWN]}
    rules = [rule for rule in service.app.url_map.iter_rules() if "POST" in (rule.methods or ())]
    assert {rule.endpoint for rule in rules if not rule.rule.startswith(rate_limits.WITH_A_SECRET)} == named
