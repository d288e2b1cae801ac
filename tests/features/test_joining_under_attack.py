"""Letters that wait in the throttle of an attack: no request goes round it by joining, and none is held up in it."""

import pytest

from app.mail import claim, throttle
from tests import attack
from tests.clocks import Clock
from tests.features.conftest import OpenService
from tests.forms import READ, opened, unproven
from tests.joining import ask, asks_for, catalogue_of_four
from tests.service import ADA, COOL_DOWN, Service


@pytest.fixture
def service(open_service: OpenService, monkeypatch: pytest.MonkeyPatch) -> Service:
    """`weekly` and `yearly` are attacked; of letters without proof, one goes at once, and one more each hour."""
    service = open_service(catalogue=catalogue_of_four())
    for newsletter in ("weekly", "yearly"):
        attack.begin(service.database, newsletter)
    monkeypatch.setattr(claim, "UNPROVEN", throttle.an_hour(1, burst=1))
    return service


def submit(service: Service, moved: Clock, newsletter: str = "weekly", email: str = ADA) -> None:
    """Our own form, in a browser without scripts: without proof."""
    token = opened(service, f"/newsletters/{newsletter}")
    moved.shift(READ)
    assert service.submit(email, newsletters=newsletter, rendered=token, language="en").status_code == 303


def crowd(service: Service, moved: Clock) -> None:
    """Others have used up what the throttle lets through."""
    submit(service, moved, email="grace@example.org")
    assert len(service.deliver()) == 1


def prove(service: Service, newsletter: str = "weekly") -> None:
    fields = {"newsletters": newsletter, "proof_of_work": attack.proof(service), "language": "en"}
    assert service.subscribe(**fields).status_code == 202


def test_who_has_proved_work_does_not_wait_behind_a_stranger_who_has_not(service: Service, moved: Clock) -> None:
    crowd(service, moved)
    submit(service, moved)
    assert service.deliver() == []
    prove(service)
    moved.shift(COOL_DOWN)
    assert asks_for(service.letter()) == ["weekly"]


def test_a_stranger_without_proof_draws_no_letter_into_the_throttle(service: Service, moved: Clock) -> None:
    crowd(service, moved)
    prove(service)
    submit(service, moved)
    submit(service, moved, "yearly")
    assert asks_for(service.letter()) == ["weekly"]
    assert unproven(service).count(True) == 2


def test_a_request_that_needs_no_proof_takes_none_out_of_it(service: Service, moved: Clock) -> None:
    crowd(service, moved)
    submit(service, moved)
    ask(service, "events")
    moved.shift(COOL_DOWN)
    assert asks_for(service.letter()) == ["events"]


def test_those_without_proof_join_each_other(service: Service, moved: Clock) -> None:
    submit(service, moved)
    submit(service, moved, "yearly")
    assert asks_for(service.letter()) == ["weekly", "yearly"]
    assert unproven(service) == [True]
