"""A small bombing, as `make trial TRIAL=bombing` does at full size; docs/trials.md says what must hold."""

import pytest

from trials import bombing
from trials.bombing import Outcome, Scale


@pytest.fixture(params=["postgresql"])
def engine(request: pytest.FixtureRequest) -> str:
    """A real service with its worker, which takes its time."""
    return str(request.param)


def test_a_victim_gets_its_budget_and_honest_people_get_through(database_url: str) -> None:
    scale = Scale(signups=2_000, newsletters=50, prefixes=400, seconds_between_people=0.2)
    outcome = bombing.bomb(scale, database_url, processes=2)
    assert outcome.statuses == {202: 2_000}
    assert 1 <= outcome.to_victim <= outcome.owed_to_victim <= 5
    assert len(outcome.asked) > 5
    assert outcome.confirmed == outcome.asked.keys()
    assert outcome.faults() == []


def test_a_bombing_that_went_wrong_says_so() -> None:
    outcome = Outcome(owed_to_victim=6, asked={"ada@example.org": 0.1}, refused=1)
    assert outcome.faults() == [
        "the victim is owed 6 letters: more than 5",
        "nobody was answered",
        "1 honest people got no letter, or could not confirm",
    ]
