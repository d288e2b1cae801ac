"""Retention: what is kept, until when, and that it is gone after. The clock is moved; the worker does the rest."""

from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import text

from app.addresses import EmailAddress
from app.newsletters.definitions import TRACES_KEPT_FOR
from app.privacy import retention
from app.privacy.retention import Pace
from app.resources import resources_of
from app.worker import housekeeping
from tests import clocks
from tests.catalogues import CATALOGUE
from tests.clocks import HOUR, Clock
from tests.commands import Jawel
from tests.concurrency import at_once
from tests.features.conftest import OpenService
from tests.service import ADA, BOTH, COOL_DOWN, Service
from tests.tombstones import assert_each_blank_event_is_named, remembered, tombstones

LAPSE = timedelta(hours=97)
"""Three days to confirm, one more until it is purged, and an hour."""
KEPT = timedelta(days=3 * 365)
CROWD = 5


def leave(service: Service, newsletter: str = "weekly", email: str = ADA) -> None:
    status = service.status(email)
    assert status
    url = status[newsletter]["links"]["unsubscribe"]
    assert service.post(url.removeprefix("https://subscribe.example.org")).status_code == 200
    service.work()


def with_evidence(service: Service) -> list[str]:
    found = service.rows("SELECT type FROM consent_events WHERE evidence IS NOT NULL ORDER BY occurred_at, type")
    return [row.type for row in found]


@pytest.mark.parametrize("end", ["lapse", "decline"])
def test_of_a_request_that_nobody_confirms_a_keyed_stub_stays_for_thirty_days(
    service: Service, moved: Clock, end: str
) -> None:
    service.subscribe()
    link = service.letter().link
    if end == "decline":
        service.post(f"{link}/decline")
    else:
        moved.shift(LAPSE)
    service.work()
    asked = [
        "subscription.requested",
        "letter.accepted",
        f"subscription.{'declined' if end == 'decline' else 'expired'}",
    ]
    assert service.rows("SELECT id FROM subscribers") == []
    (stub,) = service.rows("SELECT * FROM stubs")
    assert stub.digest == EmailAddress.parse(ADA).digest("a suppression key for tests, of some length")
    moved.shift(TRACES_KEPT_FOR - HOUR)
    service.work()
    assert with_evidence(service) == asked
    moved.shift(2 * HOUR)
    service.work()
    assert with_evidence(service) == ["subscriber.erased"]
    (tombstone,) = tombstones(service)
    assert (tombstone["reason"], tombstone["actor"]) == ("unconfirmed", "service")
    ((_stone, _who, subscription, _newsletter),) = remembered(service)
    assert subscription == UUID(str(stub.subscription_id))
    assert assert_each_blank_event_is_named(service) == 3
    assert service.rows("SELECT * FROM stubs") == []


def test_the_stub_of_one_request_leaves_what_was_confirmed_alone(service: Service, moved: Clock) -> None:
    service.confirmed()
    moved.shift(COOL_DOWN)
    service.subscribe(newsletters="events")
    service.work()
    moved.shift(LAPSE)
    service.work()
    moved.shift(TRACES_KEPT_FOR + HOUR)
    service.work()
    assert service.status()
    assert [newsletter for *_ids, newsletter in remembered(service)] == ["events"]
    assert assert_each_blank_event_is_named(service) == 3


def test_evidence_of_a_withdrawn_consent_is_kept_as_long_as_the_newsletter_says(
    open_service: OpenService, moved: Clock
) -> None:
    weekly, events = CATALOGUE["newsletter"]
    service = open_service(catalogue={**CATALOGUE, "newsletter": [{**weekly, "keep_evidence": "400d"}, events]})
    service.confirmed(newsletters=BOTH)
    leave(service, "weekly")
    leave(service, "events")
    moved.shift(timedelta(days=399))
    service.work()
    assert tombstones(service) == []
    moved.shift(timedelta(days=2))
    service.work()
    assert set(service.status() or {}) == {"events"}
    assert [each["reason"] for each in tombstones(service)] == ["retention"]
    assert [newsletter for *_ids, newsletter in remembered(service)] == ["weekly"]
    moved.shift(KEPT)
    service.work()
    assert service.rows("SELECT id FROM subscribers") == service.rows("SELECT id FROM letters") == []
    assert with_evidence(service) == ["subscriber.erased"] * 2
    assert_each_blank_event_is_named(service)


def test_a_consent_in_force_keeps_its_evidence_however_old(service: Service, moved: Clock) -> None:
    service.confirmed()
    leave(service)
    moved.shift(timedelta(days=1))
    service.confirmed()
    moved.shift(2 * KEPT)
    service.work()
    assert service.status()
    assert tombstones(service) == []


def test_asking_again_without_confirming_does_not_keep_an_old_withdrawal_longer(service: Service, moved: Clock) -> None:
    service.confirmed()
    leave(service)
    moved.shift(KEPT - timedelta(days=1))
    service.subscribe()
    service.work()
    moved.shift(timedelta(days=2))
    service.work()
    assert tombstones(service) == [], "a request is open"
    moved.shift(LAPSE)
    service.work()
    assert [each["reason"] for each in tombstones(service)] == ["retention"]
    assert service.rows("SELECT * FROM stubs") == service.rows("SELECT * FROM subscribers") == []


def test_whoever_complained_is_not_written_to_after_the_evidence_is_gone(service: Service, moved: Clock) -> None:
    service.confirmed()
    leave(service)
    with service.database.transaction() as session:
        session.execute(text("UPDATE subscriptions SET status = 'complained', ended_as = 'complained'"))
    moved.shift(KEPT + HOUR)
    service.work()
    assert service.status() is None
    service.subscribe()
    moved.shift(KEPT)
    assert service.work() == []
    assert [row.reason for row in service.rows("SELECT reason FROM suppressions")] == ["complaint"] * 2


def test_suppressions_and_mail_budgets_go_when_they_end(service: Service, moved: Clock) -> None:
    service.subscribe()
    service.post(f"{service.letter().link}/decline")
    service.work()
    assert (service.counts()["suppressions"], service.counts()["mail_budgets"]) == (2, 1)
    moved.shift(timedelta(days=30) + HOUR)
    service.work()
    assert (service.counts()["suppressions"], service.counts()["mail_budgets"]) == (0, 0)


def test_purge_reports_what_it_erased_and_the_next_time_nothing(service: Service, jawel: Jawel, moved: Clock) -> None:
    for email in (ADA, "grace@example.org"):
        service.confirmed(email)
        leave(service, email=email)
    moved.shift(KEPT - LAPSE)
    for email in ("joan@example.org", "mary@example.org", "hedy@example.org"):
        service.subscribe(email)
    service.work()
    moved.shift(LAPSE)
    assert report(jawel) == [3, 0, 0, 0, 2, 0, 3, 0, 0, 1, 0, 0, 0]
    assert report(jawel) == [0] * 13
    moved.shift(TRACES_KEPT_FOR + HOUR)
    assert report(jawel) == [0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 2, 0]
    assert assert_each_blank_event_is_named(service) == 2 * 5 + 3 * 3


def report(jawel: Jawel) -> list[int]:
    clocks.move_databases_clock_along(jawel.environment["DATABASE_URL"])
    result = jawel("privacy", "purge")
    assert result.exit_code == 0
    return [int(line.split()[0]) for line in result.stdout.splitlines()]


def test_several_workers_share_the_work_and_do_none_of_it_twice(
    open_service: OpenService, moved: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "PACES", dict.fromkeys(retention.PACES, Pace(rows=3, rest=0)))
    service = open_service(rate_limit_subscribe=10_000)
    for number in range(CROWD):
        service.confirmed(f"ada{number}@example.org", newsletters=BOTH)
    for number in range(CROWD):
        service.subscribe(f"grace{number}@example.org", newsletters=BOTH)
        leave(service, "weekly", f"ada{number}@example.org")
        leave(service, "events", f"ada{number}@example.org")
    moved.shift(LAPSE)
    resources = resources_of(service.app)
    for _ in range(2):
        at_once([lambda: housekeeping.purge_all_due(resources)] * 4)
        moved.shift(KEPT + HOUR)
    at_once([lambda: housekeeping.purge_all_due(resources)] * 4)
    assert service.rows("SELECT id FROM subscribers") == service.rows("SELECT * FROM stubs") == []
    assert set(with_evidence(service)) == {"subscriber.erased"}
    assert len(tombstones(service)) == 4 * CROWD
    assert_each_blank_event_is_named(service)
