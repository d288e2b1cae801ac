"""Subscriptions that somebody changed in the database: the audit names each that no event stands behind."""

from datetime import timedelta
from uuid import UUID

import pytest
import time_machine
from sqlalchemy import insert, text

from app import clock, consent
from app.consent import Act, Actor, ConsentEvent, EventType, Step
from tests.commands import Jawel
from tests.log import audited, without_triggers
from tests.macs import by_another_key
from tests.moving import asked
from tests.service import BROWSER, COOL_DOWN, Service


def flip(service: Service, statement: str) -> list[str]:
    """Change the database as somebody with a console would; what the audit says of subscriptions."""
    with without_triggers(service.database) as connection:
        assert connection.execute(text(statement)).rowcount == 1
    return [line for line in audited(service) if line.startswith("subscription ")]


CONFIRM = "UPDATE subscriptions SET status = 'confirmed', expires_at = NULL, lapses_at = NULL, ended_as = NULL"
NOBODY_SAYS = "it is confirmed, but no event of this application says that anybody confirmed it"
HAS_ENDED = "it is confirmed, but by its events it has ended, and nobody has confirmed it since"
ANOTHER = "it is confirmed, but its newest request is about another address than the person has"


def test_a_request_that_somebody_made_a_subscription_is_named(service: Service, jawel: Jawel) -> None:
    service.subscribe()
    service.work()
    service.confirmed("grace@example.org")
    (found,) = flip(service, f"{CONFIRM} WHERE status = 'pending'")
    assert found.endswith(NOBODY_SAYS)
    assert jawel("ledger", "audit").exit_code == 1


@pytest.mark.parametrize("is_sealed", [True, False])
def test_somebody_who_left_and_was_put_back_is_named(service: Service, *, is_sealed: bool) -> None:
    service.post(service.confirmed().one_click)
    if is_sealed:
        service.work()
    (found,) = flip(service, CONFIRM)
    assert found.endswith(HAS_ENDED)


def test_a_confirmation_that_was_inserted_confirms_nobody(service: Service) -> None:
    service.subscribe()
    service.work()
    (row,) = service.rows("SELECT id, subscriber_id FROM subscriptions")
    step = Step(EventType.CONFIRMED, UUID(str(row.subscriber_id)), UUID(str(row.id)), "weekly", clock.now())
    with service.database.transaction() as session:
        forged = consent.row(session.connection(), step, Act(Actor.MAILBOX_HOLDER, {"method": "page"}))
        session.execute(insert(ConsentEvent), {**forged, "mac": by_another_key(forged["id"], forged["evidence_hash"])})
    service.work()
    (found,) = flip(service, CONFIRM)
    assert found.endswith(NOBODY_SAYS)


def test_a_subscription_that_was_handed_to_another_address_is_named(service: Service) -> None:
    service.confirmed()
    moved = "UPDATE subscribers SET address = 'eve@example.org', canonical = 'eve@example.org'"
    (found,) = flip(service, moved)
    assert found.endswith(ANOTHER)


def test_a_subscription_that_was_handed_to_another_person_is_named(service: Service) -> None:
    service.confirmed(newsletters="events")
    service.subscribe("eve@example.org")
    service.work()
    eve = "(SELECT id FROM subscribers WHERE canonical = 'eve@example.org')"
    (found,) = flip(service, f"UPDATE subscriptions SET subscriber_id = {eve} WHERE newsletter = 'events'")
    assert found.endswith(NOBODY_SAYS)


def test_who_left_and_came_back_and_moved_and_was_half_erased_is_confirmed_by_right(service: Service) -> None:
    with time_machine.travel(clock.now(), tick=True) as time:
        service.post(service.confirmed().one_click)
        service.work()
        time.shift(COOL_DOWN)
        service.confirmed(newsletters=["weekly", "events"])
        time.shift(COOL_DOWN)
        letter = asked(service)
        time.shift(timedelta(hours=71))
        assert service.post(letter.link, headers=BROWSER).status_code == 200
        assert audited(service) == []
        service.work()
        assert audited(service) == []
