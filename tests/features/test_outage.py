"""A day without a mail server: what is owed waits, and goes out once, oldest first and no faster than allowed."""

from dataclasses import replace

from config import SendLimits, Settings
from tests.features.conftest import OpenService
from trials import outage, stage
from trials.outage import Plan

A_DAY_IN_SHORT = Plan(signups=40, letters_a_minute=30, looks=30)


def test_after_a_day_without_a_mail_server_all_goes_out_once_oldest_first_and_in_no_burst(
    open_service: OpenService, settings: Settings
) -> None:
    port = stage.free_port()
    assert settings.mail_server is not None
    service = open_service(
        rate_limit_subscribe=1000,
        send_limits=SendLimits(A_DAY_IN_SHORT.letters_a_minute, 0, 0, 0, 0),
        mail_server=replace(settings.mail_server, port=port),
    )
    outcome = outage.live_through(service.app, port, A_DAY_IN_SHORT)
    assert len(outcome.arrivals) == A_DAY_IN_SHORT.signups
    assert (outcome.missing, outcome.repeats, outcome.overtaken) == (0, 0, 0)
    assert outcome.busiest_minute <= A_DAY_IN_SHORT.letters_a_minute
    assert {row.state for row in service.rows("SELECT state FROM letters")} == {"sent"}
