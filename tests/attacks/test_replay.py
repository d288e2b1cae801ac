"""Requests that were answered once, sent again by whoever kept them: nothing happens twice, and nothing comes back."""

from typing import Any

import pytest

from tests.correspondence import HOST
from tests.service import ADA, BROWSER, Service

ATTEMPT = "an id that the form has chosen"

Sent = tuple[str, dict[str, Any]]


@pytest.fixture
def life(service: Service) -> list[Sent]:
    """Every request with which somebody came, changed their mind, and went for good."""
    kept: list[Sent] = []

    def send(path: str, **options: Any) -> str:
        kept.append((path, options))
        answer = service.post(path, **options)
        assert answer.status_code == 200
        return answer.text

    service.subscribe(attempt=ATTEMPT)
    letter = service.letter()
    send("/confirm/code", json={"attempt": ATTEMPT, "code": letter.code})
    send(letter.link, headers=BROWSER)
    leave = service.status()["weekly"]["links"]["unsubscribe"].removeprefix(HOST)
    page = send(leave, data={"reason": "other"}, headers=BROWSER)
    undo = page.partition('name="undo" value="')[2].partition('"')[0]
    send(f"{leave}/undo", data={"undo": undo}, headers=BROWSER)
    send(leave, data={"List-Unsubscribe": "One-Click"})
    service.work()
    return kept


def test_nothing_brings_back_who_has_gone(service: Service, life: list[Sent]) -> None:
    before, events = service.status(), service.events()
    for path, options in life * 2:
        service.post(path, **options)
    assert service.status() == before
    assert before["weekly"]["status"] == "unsubscribed"
    assert service.events() == events
    assert service.work() == []


def test_nothing_brings_back_who_was_erased(service: Service, life: list[Sent]) -> None:
    key = service.key("admin")  # type: ignore[arg-type]
    assert service.app.test_client().delete(f"/api/v1/subscribers/{ADA}", headers=key).status_code == 204
    before = service.counts()
    for path, options in life:
        assert service.post(path, **options).status_code in {200, 404, 410, 422}
    assert service.app.test_client().delete(f"/api/v1/subscribers/{ADA}", headers=key).status_code == 204
    assert service.counts() == before
    assert service.status() is None


def test_a_press_counts_once_however_often_it_is_sent(service: Service) -> None:
    service.subscribe()
    letter = service.letter()
    for _ in range(5):
        assert service.post(letter.link, headers=BROWSER).status_code == 200
    assert service.events().count("subscription.confirmed") == 1
    leave = service.status()["weekly"]["links"]["unsubscribe"].removeprefix(HOST)
    for _ in range(5):
        assert service.post(leave, data={"List-Unsubscribe": "One-Click"}).status_code == 200
    assert service.events().count("subscription.unsubscribed") == 1
    assert len(service.deliver()) == 1


def test_a_confirmation_that_was_declined_is_over(service: Service) -> None:
    service.subscribe(attempt=ATTEMPT)
    letter = service.letter()
    for _ in range(3):
        assert service.post(letter.one_click).status_code == 200
    for _ in range(2):
        assert service.post(letter.link, headers=BROWSER).status_code in {404, 410}
        assert service.type_code(ATTEMPT, letter.code).status_code == 422
    assert service.status() is None
    assert service.work() == []
