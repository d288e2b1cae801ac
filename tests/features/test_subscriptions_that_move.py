"""What goes along to another address, what stays, and what lapses."""

import json

from app import clock, suppressions
from app.suppressions import Reason
from tests.clocks import Clock
from tests.moving import NEW, asked, digest, findings, gone, left, wrong
from tests.receipts import receipt_text
from tests.service import ADA, BROWSER, COOL_DOWN, Service


def test_an_address_with_subscriptions_of_its_own_stays_and_so_does_the_person(service: Service, moved: Clock) -> None:
    service.confirmed(newsletters="events", language="en")
    service.confirmed(NEW, language="en")
    moved.shift(COOL_DOWN)
    letter = asked(service)
    assert "Confirm the new address" in service.get(letter.link, headers=BROWSER).text
    before = service.events()
    for _ in range(2):
        answer = service.post(letter.link, headers=BROWSER)
        assert (answer.status_code, "subscriptions of its own" in answer.text) == (409, True)
        assert service.post(letter.link).status_code == 409
    assert service.events() == before
    assert set(service.status() or {}) == {"events"}
    assert set(service.status(NEW) or {}) == {"weekly"}
    assert service.work() == []


def test_a_request_that_anybody_can_have_made_there_is_in_nobodys_way(service: Service, moved: Clock) -> None:
    service.confirmed()
    service.subscribe(NEW, newsletters=["events"])
    other = service.letter()
    moved.shift(COOL_DOWN)
    gone(service)
    assert set(service.status(NEW) or {}) == {"weekly"}
    assert service.post(other.link).status_code == 410
    assert wrong(service) == []


def test_what_was_pending_at_the_old_address_lapses(service: Service, moved: Clock) -> None:
    service.confirmed()
    moved.shift(COOL_DOWN)
    service.subscribe(newsletters="events")
    pending = service.letter()
    gone(service)
    assert set(service.status(NEW) or {}) == {"weekly"}
    assert service.post(pending.link).status_code == 410
    (stub,) = service.rows("SELECT digest FROM stubs")
    assert stub.digest == digest(ADA)
    assert wrong(service, "events") == []


def test_what_was_left_at_an_older_address_is_joined_again_under_one_chain(service: Service, moved: Clock) -> None:
    service.confirmed(newsletters=["weekly", "events"])
    left(service, ADA, "events")
    gone(service)
    moved.shift(COOL_DOWN)
    gone(service, "ada@third.example.net", NEW)
    moved.shift(COOL_DOWN)
    service.confirmed("ada@third.example.net", newsletters="events")
    assert (service.status("ada@third.example.net") or {})["events"]["status"] == "confirmed"
    assert wrong(service, "events") == wrong(service, "weekly") == []
    assert any("changes: 2" in each for each in findings(service, "weekly"))
    assert any("changes: 1" in each for each in findings(service, "events"))


def test_a_receipt_of_what_ended_before_a_move_shows_no_address_that_its_evidence_is_not_about(
    service: Service,
) -> None:
    service.confirmed(newsletters=["weekly", "events"])
    left(service, ADA, "events")
    assert json.loads(receipt_text(service, "events"))["record"]["pii_principal_email"] == ADA
    notice = gone(service)
    record = json.loads(receipt_text(service, "events"))["record"]
    shown = [record[f"pii_principal_{name}"] for name in ("email", "hint")] + [record["address_commitment_key"]]
    assert shown == [None, None, None]
    assert wrong(service, "events") == []
    service.post(notice.link)
    assert json.loads(receipt_text(service, "events"))["record"]["pii_principal_email"] == ADA
    assert wrong(service, "events") == []


def test_nothing_moves_where_all_was_left_meanwhile(service: Service) -> None:
    service.confirmed()
    letter = asked(service)
    left(service, ADA, "weekly")
    assert service.get(letter.link, headers=BROWSER).status_code == 410
    assert service.post(letter.link).status_code == 410
    assert service.status(NEW) is None


def test_a_suppression_of_the_old_address_stays_with_it(service: Service) -> None:
    service.confirmed()
    letter = asked(service)
    with service.database.transaction() as session:
        suppressions.suppress(session, digest(ADA), Reason.HARD_BOUNCE, since=clock.now())
    assert (service.status() or {})["weekly"]["mailable"] is False
    service.post(letter.link)
    assert (service.status(NEW) or {})["weekly"]["mailable"] is True
    assert service.work() == []
