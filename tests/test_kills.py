"""Processes killed at random moments, a few; `make trial TRIAL=kills` is the long form."""

import random
from collections.abc import Callable

from tests import machine
from trials import kills
from trials.kills import Plan


def test_whatever_is_killed_nothing_is_lost_and_nobody_is_written_to_who_may_not_be(
    engine: str, record_property: Callable[[str, object], None]
) -> None:
    if engine == "postgresql":
        machine.require(machine.POSTGRESQL)
    seed = random.randrange(1_000_000)  # noqa: S311 - chance, no secret
    outcome = kills.rehearse(Plan(engine, times=5, seed=seed, pauses=(0.1, 0.6)))
    verdict = outcome.verdict
    record_property(
        "counted",
        f"{outcome.kills.total()} processes killed (seed {seed}): {verdict.signups:,} signups and none lost, "
        f"{verdict.letters:,} letters, {verdict.repeats} of them again",
    )
    assert verdict.signups
    assert verdict.faults() == 0, (seed, [*verdict.lines()])
