"""A primary that dies under load, short; `make trial TRIAL=failover` is the long form."""

from collections.abc import Callable

from tests import machine
from trials import failover


def test_nothing_that_was_answered_is_lost_with_the_primary(record_property: Callable[[str, object], None]) -> None:
    outcome = failover.rehearse(machine.require(machine.POSTGRESQL), seconds=1)
    record_property(
        "counted",
        f"{outcome.accepted:,} signups answered, {outcome.lost} lost with the primary; "
        f"the first success {outcome.recovered_after:.1f} s after its death",
    )
    assert outcome.accepted
    assert outcome.lost == 0
    assert set(outcome.statuses) <= {202, 503}
    assert outcome.statuses[503]
    assert outcome.mute == 0
    assert outcome.starts == 1
