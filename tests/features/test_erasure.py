"""Erasure: the person goes, their objections are remembered, and tombstones name the evidence that is missing."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import time_machine
from sqlalchemy import text

from app.addresses import EmailAddress
from app.api_keys import Scope
from tests.concurrency import at_once, await_lock
from tests.service import ADA, BOTH, BROWSER, COOL_DOWN, GRACE, Service
from tests.tombstones import assert_each_blank_event_is_named, erase, remembered, tombstones


def of(service: Service, email: str = ADA) -> str:
    """Their subscriber id."""
    answer = service.get(f"/api/v1/subscribers/{email}", headers=service.key())
    return str(answer.json["id"])


def test_an_erased_person_is_unknown_and_a_tombstone_names_each_piece_of_missing_evidence(service: Service) -> None:
    service.confirmed(newsletters=BOTH)
    person = of(service)
    service.confirmed(GRACE)
    assert erase(service).status_code == 204
    assert service.status() is None
    assert service.status(GRACE)
    (tombstone,) = tombstones(service)
    assert assert_each_blank_event_is_named(service) == 6
    expected = {"actor": "controller", "method": "api:shop", "reason": "request"}
    assert expected.items() <= tombstone.items()
    assert tombstone["subscription"] is tombstone["newsletter"] is tombstone["subscriber"] is None
    assert [(str(who), newsletter) for _stone, who, _which, newsletter in remembered(service)] == [
        (person, "events"),
        (person, "weekly"),
    ]
    assert service.counts()["letters"] == 1


def test_erasing_again_is_answered_alike_and_writes_nothing(service: Service) -> None:
    service.confirmed()
    person = of(service)
    erase(service)
    before = service.counts()
    for who in (ADA, "Ada@EXAMPLE.org", person, "nobody@example.org", "not an address@"):
        erase(service, who)
    after = service.counts()
    assert {**after, "api_keys": 0} == {**before, "api_keys": 0}


def test_a_person_is_erased_by_id_as_well(service: Service) -> None:
    service.confirmed()
    erase(service, of(service))
    assert service.status() is None
    assert service.counts()["mail_budgets"] == 0
    assert_each_blank_event_is_named(service)


def test_by_id_nobody_else_is_erased(service: Service) -> None:
    """Also not whoever signed up from the same address since: an id is that of one subscriber."""
    with time_machine.travel("2026-11-23 20:00:00+00:00", tick=True) as clock:
        service.subscribe()
        earlier = of(service)
        for email in (ADA, GRACE):
            service.subscribe(email)
            service.work()
            clock.shift(timedelta(hours=97))
            service.work()
        service.confirmed()
        with service.database.transaction() as session:
            session.execute(text("UPDATE stubs SET digest = NULL"))
        erase(service, "00000000-0000-0000-0000-000000000000")
        assert tombstones(service) == []
        erase(service, earlier)
    assert service.status()
    assert [str(who) for _stone, who, *_rest in remembered(service)] == [earlier]


def test_what_is_neither_an_address_nor_an_id_is_not_found(service: Service) -> None:
    key = service.key(Scope.SUBSCRIBERS_WRITE)
    assert service.app.test_client().delete("/api/v1/subscribers/ada", headers=key).status_code == 404


def test_erasing_takes_the_scope_to_write(service: Service) -> None:
    service.confirmed()
    client = service.app.test_client()
    assert client.delete(f"/api/v1/subscribers/{ADA}").status_code == 401
    assert client.delete(f"/api/v1/subscribers/{ADA}", headers=service.key()).status_code == 403
    assert service.status()


def test_links_sent_before_lead_nowhere(service: Service) -> None:
    service.subscribe()
    letter = service.letter()
    erase(service)
    assert service.get(letter.link, headers=BROWSER).status_code == 410
    assert service.post(letter.link).status_code == 410
    assert service.post(letter.one_click).status_code == 200
    assert service.status() is None


def test_an_erased_person_can_sign_up_again_at_once(service: Service) -> None:
    service.confirmed()
    erase(service)
    service.confirmed()
    erase(service)
    assert [len(each["erased"]) for each in tombstones(service)] == [3, 3]
    assert len({who for _stone, who, *_rest in remembered(service)}) == 2


def test_by_the_address_requests_that_lapsed_are_found_too(service: Service) -> None:
    with time_machine.travel("2026-11-23 20:00:00+00:00", tick=True) as clock:
        for _ in range(2):
            service.subscribe()
            service.work()
            clock.shift(timedelta(hours=97))
            service.work()
        service.confirmed()
        erase(service)
    assert len(tombstones(service)) == 3
    assert service.rows("SELECT * FROM stubs") == []
    assert service.rows("SELECT * FROM consent_events WHERE evidence IS NOT NULL AND type <> 'subscriber.erased'") == []


@pytest.mark.parametrize("newsletters", [["weekly"], None])
def test_whoever_said_this_was_not_me_gets_no_mail_after_erasure_either(
    service: Service, newsletters: list[str] | None
) -> None:
    with time_machine.travel("2026-11-23 20:00:00+00:00", tick=True) as clock:
        service.subscribe()
        service.post(f"{service.letter().link}/decline")
        erase(service, newsletters=newsletters)
        clock.shift(COOL_DOWN)
        service.subscribe()
        assert service.work() == []
    assert [row.reason for row in service.rows("SELECT reason FROM suppressions")] == ["declined"] * 2


def test_a_complaint_outlives_the_erasure_of_who_made_it(service: Service) -> None:
    service.confirmed()
    with service.database.transaction() as session:
        session.execute(text("UPDATE subscriptions SET status = 'complained', ended_as = 'complained'"))
    digests = EmailAddress.parse(ADA).digests("a suppression key for tests, of some length")
    erase(service)
    kept = {(row.digest, row.reason, row.until) for row in service.rows("SELECT * FROM suppressions")}
    assert kept == {(digest, "complaint", None) for digest in (digests.address, digests.mailbox)}
    service.subscribe()
    assert service.work() == []


def test_a_key_limited_to_newsletters_erases_what_they_know_and_the_last_takes_the_address(service: Service) -> None:
    service.confirmed(newsletters=BOTH)
    erase(service, newsletters=["weekly"])
    assert set(service.status() or {}) == {"events"}
    (first,) = tombstones(service)
    assert [(str(stone), newsletter) for stone, *_ids, newsletter in remembered(service)] == [
        (first["event"], "weekly")
    ]
    erase(service, newsletters=["weekly"])
    assert len(tombstones(service)) == 1
    erase(service, newsletters=["events", "weekly"])
    assert service.rows("SELECT * FROM subscribers") == service.rows("SELECT * FROM letters") == []
    assert assert_each_blank_event_is_named(service) == 6


def test_a_letter_in_the_hands_of_the_worker_does_not_bring_the_person_back(service: Service) -> None:
    service.subscribe()
    service.subscribe(GRACE)
    erasing = iter([ADA])

    def erase_once() -> None:
        for email in erasing:
            erase(service, email)

    service.mail.on_taken = erase_once
    service.work()
    assert service.status() is None
    assert service.status(GRACE)
    assert_each_blank_event_is_named(service)
    left = service.rows("SELECT type FROM consent_events WHERE evidence IS NOT NULL")
    assert sorted(row.type for row in left) == ["letter.accepted", "subscriber.erased", "subscription.requested"]
    assert [row.state for row in service.rows("SELECT state FROM letters")] == ["sent"]


def test_nor_does_a_letter_bring_back_the_one_newsletter_that_was_erased(service: Service) -> None:
    service.subscribe(newsletters=BOTH)
    service.mail.on_taken = lambda: erase(service, newsletters=["weekly"])
    service.work()
    kept = service.rows("SELECT type, newsletter FROM consent_events WHERE evidence IS NOT NULL")
    assert sorted((row.type, row.newsletter) for row in kept) == [
        ("letter.accepted", "events"),
        ("subscriber.erased", None),
        ("subscription.requested", "events"),
    ]


def test_a_letter_still_owed_is_never_sent(service: Service) -> None:
    service.subscribe()
    erase(service)
    assert service.work() == []


@pytest.mark.parametrize("engine", ["postgresql"])
def test_a_request_for_another_newsletter_waits_for_the_erasure_and_starts_over(service: Service) -> None:
    with time_machine.travel("2026-11-23 20:00:00+00:00", tick=True) as clock:
        for _ in range(5):
            service.confirmed()
            clock.shift(COOL_DOWN)
            answer, *_ = at_once(
                [lambda: service.subscribe(newsletters=BOTH), lambda: erase(service), lambda: erase(service)]
            )
            assert answer.status_code == 202
            gone = {row.subscription_id for row in service.rows("SELECT * FROM consent_events WHERE evidence IS NULL")}
            kept = service.rows("SELECT subscription_id FROM consent_events WHERE type = 'subscription.requested'")
            standing = {row.id for row in service.rows("SELECT id FROM subscriptions")}
            assert standing == {row.subscription_id for row in kept} - gone
            erase(service)
            clock.shift(timedelta(days=1))


@pytest.mark.parametrize("engine", ["postgresql"])
def test_a_request_made_while_the_last_other_one_lapses_is_not_erased_with_it(service: Service) -> None:
    service.subscribe()
    link = service.letter().link
    with ThreadPoolExecutor(1) as pool, service.database.transaction() as session:
        session.execute(text(_ASK_FOR_EVENTS))
        declining = pool.submit(service.post, f"{link}/decline")
        await_lock(service)
        session.commit()
        assert declining.result().status_code == 200
    assert [row.newsletter for row in service.rows("SELECT newsletter FROM subscriptions")] == ["events"]


_ASK_FOR_EVENTS = """
    INSERT INTO subscriptions (id, subscriber_id, newsletter, status, since, version, nonce, expires_at)
    SELECT gen_random_uuid(), id, 'events', 'pending', now(), 1, 'nonce', now() + interval '3 days' FROM subscribers
"""
