"""A report about a mailbox whose person is on the way to another one says nothing of the other one."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from app.addresses import EmailAddress
from app.consent import Act, Actor
from app.feedback import Report
from app.subscriptions.address_change import completion
from tests.concurrency import await_lock
from tests.engines import on_postgresql
from tests.moving import NEW, asked
from tests.reports import COMPLAINT, HARD, UNSUBSCRIBE, take
from tests.service import ADA, Service
from tests.suppressions import known_by, suppressed


@on_postgresql
@pytest.mark.parametrize("report", [HARD, COMPLAINT, UNSUBSCRIBE], ids=lambda report: str(report.kind))
def test_who_moves_while_the_report_waits_for_them_is_left_alone(service: Service, report: Report) -> None:
    service.confirmed()
    asked(service)
    (change,) = service.rows("SELECT id FROM address_changes")
    with ThreadPoolExecutor(1) as pool:
        with service.database.transaction() as session:
            completion.confirm(session, change.id, Act(Actor.MAILBOX_HOLDER, {"method": "button"}))
            session.flush()
            taking = pool.submit(take, service, report, address=EmailAddress.parse(ADA))
            await_lock(service)
        taking.result()
    status = (service.status(NEW) or {})["weekly"]
    assert (status["status"], status["mailable"]) == ("confirmed", True)
    assert suppressed(service) <= known_by(ADA)
    assert bool(suppressed(service)) == (report is not UNSUBSCRIBE)
    service.work()
