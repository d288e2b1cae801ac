"""A person changes their language or address: whoever keeps a copy of them hears of it."""

import json
from typing import Any

from app.api_keys import Scope
from tests.moving import gone, wrong
from tests.preferences import fresh
from tests.receipts import receipt_text
from tests.service import BOTH, BROWSER, Service


def changes(service: Service) -> list[Any]:
    service.work()
    told = service.get("/api/v1/events?limit=1000", headers=service.key(Scope.EVENTS_READ)).get_json()["events"]
    return [each for each in told if each["type"] == "subscriber.changed"]


def test_a_new_language_is_told_once_for_each_subscription(service: Service) -> None:
    service.confirmed(newsletters=BOTH, language="en")
    link = fresh(service)
    for _ in range(2):
        assert service.post(link, data={"language": "fr"}, headers=BROWSER).status_code == 200
    told = changes(service)
    assert sorted(each["newsletter"] for each in told) == sorted(BOTH)
    person = service.get(f"/api/v1/subscribers/{told[0]['subscriber']}", headers=service.key()).get_json()
    assert person["language"] == "fr"
    last = json.loads(receipt_text(service))["record"]["events"][-1]
    assert (last["type"], last["event_state"]) == ("subscriber.changed", "jawel:SubscriberChanged")


def test_a_new_address_is_told_and_not_shown(service: Service) -> None:
    service.confirmed()
    gone(service, "ada@example.net")
    (told,) = changes(service)
    assert told["newsletter"] == "weekly"
    (row,) = service.rows("SELECT evidence FROM consent_events WHERE type = 'subscriber.changed'")
    evidence = json.loads(row.evidence)
    assert evidence["changed"] == "address"
    assert "@" not in row.evidence
    assert wrong(service) == []
