"""The breaker watches the public form: what other services ask with a key neither trips it nor hides an attack."""

import pytest

from app.abuse.attack_detection import rules
from app.api_keys import Scope
from app.resources import resources_of
from app.worker import attack_loop
from tests.service import Service

MANY = 10


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """An attack is ten requests that nobody confirms, or two declines."""
    monkeypatch.setattr(rules, "MANY_REQUESTS", MANY)
    monkeypatch.setattr(rules, "MANY_DECLINES", 2)


def order(service: Service, *people: str) -> None:
    key = service.key(Scope.SUBSCRIBERS_WRITE)
    for each in people:
        answer = service.post("/api/v1/subscriptions", headers=key, json={"email": each, "newsletters": "weekly"})
        assert answer.status_code == 202


def customers(count: int) -> list[str]:
    return [f"customer{number}@example.org" for number in range(count)]


def tripped(service: Service) -> bool:
    service.work()
    attack_loop.watch(resources_of(service.app).database)
    return bool(service.rows("SELECT newsletter FROM breakers"))


def test_orders_that_nobody_confirms_are_no_attack(service: Service) -> None:
    order(service, *customers(MANY + 5))
    assert not tripped(service)
    for number in range(MANY):
        service.subscribe(f"stranger{number}@example.org")
    assert tripped(service)


def test_customers_who_say_that_it_was_not_them_are_no_attack(service: Service) -> None:
    order(service, *customers(3))
    for letter in service.deliver():
        assert service.post(f"{letter.link}/decline").status_code == 200
    assert not tripped(service)


def test_customers_who_confirm_hide_no_attack(service: Service) -> None:
    order(service, *customers(5))
    for letter in service.deliver():
        assert service.post(letter.link).status_code == 200
    for number in range(MANY):
        service.subscribe(f"stranger{number}@example.org")
    assert tripped(service)
