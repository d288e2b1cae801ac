"""What an erasure left: tombstones, and the events whose evidence is gone."""

import json
from typing import Any

from sqlalchemy import select
from werkzeug.test import TestResponse

from app import consent
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


def assert_each_blank_event_is_named(service: Service) -> int:
    """By exactly one tombstone, and nothing else is named. Returns how many are blank."""
    with service.database.read_only() as connection:
        found = connection.execute(select(ConsentEvent.__table__).where(ConsentEvent.evidence.is_(None))).all()
    blank = [
        {
            "event": str(event.id),
            "newsletter": event.newsletter,
            "occurred_at": consent.timestamp(event.occurred_at),
            "subscription": str(event.subscription_id),
            "type": event.type,
        }
        for event in found
    ]
    named = [event for tombstone in tombstones(service) for event in tombstone["erased"]]
    assert sorted(named, key=str) == sorted(blank, key=str)
    assert all(event.salt is None for event in found)
    return len(blank)
