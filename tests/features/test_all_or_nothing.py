"""Whatever write of a step fails, all of it fails: no evidence without its change, and no change without evidence."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import pytest
import time_machine
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from werkzeug.test import TestResponse

from app.api_keys import Scope
from app.privacy import retention
from app.privacy.retention import PurgeKind
from app.resources import resources_of
from tests.refusing import refusing
from tests.service import ADA, Service, everything

EVIDENCE = {"consent_events", "unsealed_events"}
ERASURE = EVIDENCE | {"erasures"}


@dataclass(frozen=True, slots=True)
class Step:
    """`prepare` leads up to it and returns the act itself; `writes` are the tables that the act changes."""

    prepare: Callable[[Service], Callable[[], object]]
    writes: set[str]
    later: timedelta = timedelta()


def sign_up(service: Service) -> Callable[[], object]:
    return lambda: done(service.subscribe())


def ask_again(service: Service) -> Callable[[], object]:
    service.confirmed()
    leave(service)()
    return lambda: done(service.subscribe())


def confirm(service: Service) -> Callable[[], object]:
    service.subscribe()
    link = service.letter().link
    return lambda: done(service.post(link))


def decline(service: Service) -> Callable[[], object]:
    service.subscribe()
    link = service.letter().link
    return lambda: done(service.post(f"{link}/decline"))


def leave(service: Service) -> Callable[[], object]:
    service.confirmed()
    url = (service.status() or {})["weekly"]["links"]["unsubscribe"]
    return lambda: done(service.post(url.removeprefix("https://subscribe.example.org")))


def expire(service: Service) -> Callable[[], object]:
    service.subscribe()
    service.work()
    return lambda: carry_out(service, PurgeKind.EXPIRED)


def erase(service: Service) -> Callable[[], object]:
    service.confirmed()
    service.subscribe(newsletters="events")
    key = service.key(Scope.SUBSCRIBERS_WRITE)
    return lambda: done(service.app.test_client().delete(f"/api/v1/subscribers/{ADA}", headers=key))


def erase_complainer(service: Service) -> Callable[[], object]:
    erasing = erase(service)
    with service.database.transaction() as session:
        session.execute(text("UPDATE subscriptions SET ended_as = 'complained'"))
    return erasing


def erase_unconfirmed(service: Service) -> Callable[[], object]:
    decline(service)()
    return lambda: carry_out(service, PurgeKind.UNCONFIRMED)


def erase_withdrawn(service: Service) -> Callable[[], object]:
    leave(service)()
    return lambda: carry_out(service, PurgeKind.WITHDRAWN)


STEPS = {
    "sign up": Step(sign_up, EVIDENCE | {"subscribers", "subscriptions", "letters", "mail_budgets"}),
    "ask again": Step(ask_again, EVIDENCE | {"subscriptions", "letters", "mail_budgets"}, timedelta(days=1)),
    "confirm": Step(confirm, EVIDENCE | {"subscriptions"}),
    "decline": Step(decline, EVIDENCE | {"subscriptions", "subscribers", "letters", "stubs", "suppressions"}),
    "leave": Step(leave, EVIDENCE | {"subscriptions", "letters"}),
    "expire": Step(expire, EVIDENCE | {"subscriptions", "subscribers", "letters", "stubs"}, timedelta(days=5)),
    "erase": Step(erase, ERASURE | {"subscriptions", "subscribers", "letters", "mail_budgets"}),
    "erase a complainer": Step(
        erase_complainer,
        ERASURE | {"subscriptions", "subscribers", "letters", "mail_budgets", "suppressions", "leavings"},
    ),
    "erase the unconfirmed": Step(erase_unconfirmed, ERASURE | {"stubs"}, timedelta(days=31)),
    "erase the withdrawn": Step(
        erase_withdrawn, ERASURE | {"subscriptions", "subscribers", "letters", "leavings"}, timedelta(days=1096)
    ),
}


@pytest.mark.parametrize("name", STEPS)
def test_of_a_step_all_is_written_or_nothing(service: Service, name: str) -> None:
    step = STEPS[name]
    with time_machine.travel("2026-11-23 20:00:00+00:00", tick=True) as clock:
        act = step.prepare(service)
        clock.shift(step.later)
        before = everything(service)
        for table in sorted(step.writes):
            with refusing(service, table):
                assert not succeeds(act), table
            assert everything(service) == before, table
        assert succeeds(act)
        after = everything(service)
    assert {table for table in after if after[table] != before[table]} == step.writes


def succeeds(act: Callable[[], object]) -> bool:
    try:
        return act() is not False
    except DBAPIError:
        return False


def done(answer: TestResponse) -> bool:
    return answer.status_code < 500


def carry_out(service: Service, kind: PurgeKind) -> None:
    resources = resources_of(service.app)
    for chore in retention.chores(resources.catalogue.get()):
        if chore.kind is kind:
            retention.carry_out(resources.database, chore)
