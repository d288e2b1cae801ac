"""A short soak, as `make trial TRIAL=soak` does for an hour; docs/trials.md says what must hold."""

import pytest

from trials import soak
from trials.soak import Plan


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_through_faults_drawn_by_chance_nothing_is_lost_or_sent_twice(engine: str) -> None:
    outcome = soak.rehearse(Plan(engine, minutes=0.3, seed=11, every_seconds=4, longest_seconds=3, disk_megabytes=300))
    assert outcome.verdict.faults() == 0, list(outcome.lines())
    assert outcome.recoveries
    assert outcome.verdict.signups
