"""The time of an answer does not tell what is known of an address. Only lower bounds: machines are slow at any time."""

import time
from collections.abc import Callable

import pytest
import time_machine

from app import services
from app.pace import LONGEST_SECONDS, OVERSLEPT_SECONDS, Pace
from tests.service import ADA, COOL_DOWN, Service

LONG = 0.05


def taken(by: Callable[[], object]) -> float:
    begun = time.perf_counter()
    by()
    return time.perf_counter() - begun


@pytest.mark.parametrize("less_to_write", [{"website": "https://robot.example"}, {"email": "abuse@example.org"}, {}])
def test_whoever_wrote_less_waits_for_what_was_saved(service: Service, less_to_write: dict[str, str]) -> None:
    assert service.subscribe(ADA).status_code == 202
    pace = services.of(service.app).pace
    for _ in range(100):
        pace.remember(1, LONG)
    assert taken(lambda: service.subscribe(**{"email": ADA, **less_to_write})) >= LONG - OVERSLEPT_SECONDS


def test_whoever_wrote_for_each_newsletter_waits_for_nobody(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    with time_machine.travel("2026-11-23 20:00:00+00:00", tick=False) as clock:
        service.subscribe()
        clock.shift(COOL_DOWN)
        monkeypatch.setattr(Pace, "fall_in", lambda *_: pytest.fail("waited"))
        service.subscribe()
    assert service.counts()["consent_events"] == 2


def test_who_asks_for_more_newsletters_is_compared_with_those_who_did() -> None:
    pace = Pace()
    pace.remember(1, LONG / 5)
    assert taken(lambda: pace.fall_in(5, 0)) >= LONG - OVERSLEPT_SECONDS
    pace.remember(5, LONG / 10)
    assert pace._expected(5) == LONG / 10


def test_nobody_waits_for_longer_than_a_moment_or_where_nothing_is_known() -> None:
    pace = Pace()
    assert pace._expected(1) == 0
    pace.remember(1, 3600)
    assert LONGEST_SECONDS <= taken(lambda: pace.fall_in(1, 0)) < 60
