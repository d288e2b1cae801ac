"""What an erasure left: tombstones, and the events whose evidence is gone."""

import json
from datetime import UTC, time
from typing import Any
from uuid import UUID

from sqlalchemy import select
from werkzeug.test import TestResponse

from app.api_keys import Scope
from app.consent import ConsentEvent, EventType
from tests.service import ADA, Service


def erase(service: Service, who: object = ADA, newsletters: list[str] | None = None) -> TestResponse:
    key = service.key(Scope.SUBSCRIBERS_WRITE, newsletters=newsletters)
    answer = service.app.test_client().delete(f"/api/v1/subscribers/{who}", headers=key)
    assert (answer.status_code, answer.data) == (204, b"")
    return answer


def tombstones(service: Service) -> list[dict[str, Any]]:
    """Their evidence, in the order in which they were erected."""
    erected = select(ConsentEvent.evidence).where(ConsentEvent.type == EventType.ERASED)
    with service.database.read_only() as connection:
        found = connection.execute(erected.order_by(ConsentEvent.occurred_at)).scalars().all()
    return [json.loads(evidence) for evidence in found if evidence]


def remembered(service: Service) -> list[Any]:
    """What is kept beside the tombstones for a while, by subscription."""
    return [
        (UUID(str(row.event_id)), UUID(str(row.subscriber_id)), UUID(str(row.subscription_id)), row.newsletter)
        for row in service.rows("SELECT * FROM erasures ORDER BY erased_at, newsletter")
    ]


def assert_each_blank_event_is_named(service: Service) -> int:
    """By exactly one tombstone, and nothing else is named. Returns how many are blank.

    What is left of each is its type, its day and the tombstone.
    """
    with service.database.read_only() as connection:
        found = connection.execute(select(ConsentEvent.__table__).where(ConsentEvent.evidence.is_(None))).all()
    blank = [
        {
            "event": str(event.id),
            "occurred_on": event.occurred_at.astimezone(UTC).date().isoformat(),
            "type": event.type,
            "by": str(event.erased_by),
        }
        for event in found
    ]
    named = [{**event, "by": stone["event"]} for stone in tombstones(service) for event in stone["erased"]]
    assert sorted(named, key=str) == sorted(blank, key=str)
    for event in found:
        assert event.salt is event.subscriber_id is event.subscription_id is event.newsletter is None
        assert event.occurred_at.astimezone(UTC).time() == time()
    return len(blank)
