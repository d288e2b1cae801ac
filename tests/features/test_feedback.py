"""What becomes of subscriptions by what mail systems report: once, at once, everywhere."""

from datetime import timedelta
from functools import partial
from uuid import UUID

import pytest
import time_machine

from app.addresses import EmailAddress
from app.api_keys import Scope
from app.feedback import Outcome, Report
from app.privacy import access
from tests.concurrency import at_once
from tests.moving import NEW, gone
from tests.reports import COMPLAINT, HARD, SOFT, UNSUBSCRIBE, id_of, status_of, take
from tests.service import ADA, COOL_DOWN, Letter, Service
from tests.suppressions import known_by, suppressed


def test_a_pending_subscription_ends_at_once_when_its_letter_bounces(service: Service) -> None:
    service.subscribe()
    letter = service.letter()
    assert take(service, HARD, letter_id=id_of(letter)) is Outcome.TAKEN
    status = status_of(service)
    assert (status["status"], status["reason"], status["mailable"]) == ("bounced", "hard_bounce", False)
    assert status["confirmation_mail"]["state"] == "bounced"
    assert service.post(letter.link).status_code == 410
    assert service.events() == ["subscription.requested", "letter.accepted", "subscription.bounced"]
    (row,) = service.rows("SELECT evidence FROM consent_events WHERE type = 'subscription.bounced'")
    assert '"code":"5.1.1"' in row.evidence
    assert '"source":"dsn"' in row.evidence
    assert take(service, HARD, letter_id=id_of(letter)) is Outcome.REPEATED
    assert len(service.events()) == 3


def test_a_bounced_address_may_ask_again_a_day_later_and_a_press_makes_it_whole(service: Service) -> None:
    with time_machine.travel("2026-11-23 20:00:00+00:00", tick=True) as clock:
        service.subscribe()
        take(service, HARD, letter_id=id_of(service.letter()))
        clock.shift(COOL_DOWN)
        service.subscribe()
        assert service.work() == []
        clock.shift(timedelta(hours=23, minutes=50))
        # Until it lapses it is still there; the new request goes on with it.
        service.subscribe()
        assert service.post(service.letter().link).status_code == 200
        assert (status_of(service)["status"], status_of(service)["mailable"]) == ("confirmed", True)
        assert service.counts()["suppressions"] == 0
        clock.shift(timedelta(days=40))
        service.work()
        assert status_of(service)["status"] == "confirmed"


def test_what_was_confirmed_ends_everywhere_when_the_mailbox_is_gone(service: Service) -> None:
    with time_machine.travel("2026-11-23 20:00:00+00:00", tick=True) as clock:
        service.confirmed(newsletters=["weekly", "events"])
        clock.shift(timedelta(days=2))
        service.subscribe()
        told = service.letter()
        take(service, HARD, letter_id=id_of(told))
        assert [status_of(service, each)["status"] for each in ("weekly", "events")] == ["bounced", "bounced"]
        clock.shift(timedelta(days=60))
        service.work()
        # It was a consent: its proof is kept as after a withdrawal.
        assert status_of(service)["status"] == "bounced"


def test_a_bounce_of_a_letter_whose_link_was_pressed_is_another_mailboxs(service: Service) -> None:
    letter = service.confirmed()
    assert take(service, HARD, letter_id=id_of(letter)) is Outcome.TAKEN
    assert status_of(service)["mailable"] is True


def test_a_request_that_bounced_is_gone_a_day_later_and_leaves_its_stub_for_thirty(service: Service) -> None:
    with time_machine.travel("2026-11-23 20:00:00+00:00", tick=True) as clock:
        service.subscribe()
        take(service, HARD, letter_id=id_of(service.letter()))
        clock.shift(timedelta(hours=23))
        service.work()
        assert status_of(service)["status"] == "bounced"
        clock.shift(timedelta(hours=2))
        service.work()
        assert service.status() is None
        counts = service.counts()
        assert (counts["subscribers"], counts["letters"], counts["stubs"], counts["suppressions"]) == (0, 0, 1, 1)
        assert ADA not in str(service.rows("SELECT evidence FROM consent_events"))
        clock.shift(timedelta(days=30))
        service.work()
        counts = service.counts()
        assert (counts["stubs"], counts["suppressions"], counts["feedback_reports"]) == (0, 0, 0)
        assert service.rows("SELECT evidence FROM consent_events WHERE type = 'subscription.bounced'") == [(None,)]


def soft(service: Service, letter: Letter, number: int, *, counts: bool = True) -> None:
    take(service, SOFT, letter_id=id_of(letter), fingerprint=f"soft {number}", counts=counts)


def test_soft_bounces_on_five_days_are_a_hard_one(service: Service) -> None:
    with time_machine.travel("2026-11-23 20:00:00+00:00", tick=True) as clock:
        service.subscribe("grace@example.org")
        service.work()
        service.confirmed()
        clock.shift(timedelta(minutes=1))
        service.subscribe()
        told = service.letter()
        for number in range(4):
            # Those of one day are one, and those about us are none.
            soft(service, told, number)
            soft(service, told, number + 100)
            soft(service, told, number + 200, counts=False)
            clock.shift(timedelta(days=1))
        soft(service, told, 300, counts=False)
        assert status_of(service)["mailable"] is True
        soft(service, told, 4)
        assert (status_of(service)["status"], status_of(service)["reason"]) == ("bounced", "soft_bounces")


def test_a_press_wipes_out_the_soft_bounces_before_it(service: Service) -> None:
    with time_machine.travel("2026-11-23 20:00:00+00:00", tick=True) as clock:
        service.subscribe()
        first = service.letter()
        for number in range(4):
            soft(service, first, number)
            clock.shift(timedelta(hours=12))
        assert (status_of(service)["status"], status_of(service)["confirmation_mail"]["state"]) == ("pending", "failed")
        assert service.post(first.link).status_code == 200
        clock.shift(timedelta(days=1))
        for number in range(4, 8):
            soft(service, first, number)
            clock.shift(timedelta(days=1))
        assert status_of(service)["mailable"] is True


def test_who_complains_is_never_written_to_again(service: Service) -> None:
    with time_machine.travel("2026-11-23 20:00:00+00:00", tick=True) as clock:
        letter = service.confirmed(newsletters=["weekly", "events"])
        service.post(status_of(service)["links"]["unsubscribe"].removeprefix("https://subscribe.example.org"))
        assert take(service, COMPLAINT, letter_id=id_of(letter)) is Outcome.TAKEN
        assert [status_of(service, each)["status"] for each in ("weekly", "events")] == ["complained", "complained"]
        # Not even the acknowledgement that was owed, nor anything that is asked for later.
        assert service.work() == []
        clock.shift(timedelta(days=400))
        service.subscribe()
        service.post("/preferences", data={"email": ADA})
        assert service.work() == []
        assert service.rows("SELECT reason, until FROM suppressions") == [("complaint", None)] * 2


def test_a_complaint_by_address_holds_where_nobody_is_subscribed(service: Service) -> None:
    assert take(service, COMPLAINT, address=EmailAddress.parse(ADA)) is Outcome.TAKEN
    assert suppressed(service) == known_by()
    service.subscribe()
    assert service.work() == []


def test_a_report_about_who_was_erased_is_about_nobody(service: Service) -> None:
    letter = service.confirmed()
    subscription = UUID(status_of(service)["id"])
    service.app.test_client().delete(f"/api/v1/subscribers/{ADA}", headers=service.key(Scope.SUBSCRIBERS_WRITE))
    before = service.counts()
    for report in (HARD, SOFT, COMPLAINT, UNSUBSCRIBE):
        assert take(service, report, letter_id=id_of(letter), subscription_id=subscription) is Outcome.UNKNOWN
    assert service.counts() == before


@pytest.mark.parametrize("report", [HARD, COMPLAINT])
def test_whatever_is_queued_does_not_go_any_more(service: Service, report: Report) -> None:
    people = ["ada@example.org", "grace@example.org", "edith@example.org", "mary@example.org"]
    for email in people[1:]:
        service.confirmed(email)
    for email in people[:2]:
        service.subscribe(email)
    leave = status_of(service, email=people[2])["links"]["unsubscribe"]
    service.post(leave.removeprefix("https://subscribe.example.org"))
    service.post("/preferences", data={"email": people[3]})
    queued = service.rows("SELECT kind FROM letters WHERE state = 'queued' ORDER BY kind")
    assert queued == [("already_confirmed",), ("confirmation",), ("preferences",), ("unsubscribed",)]
    for email in people:
        take(service, report, address=EmailAddress.parse(email), fingerprint=email)
    assert service.work() == []
    assert service.rows("SELECT kind FROM letters WHERE state IN ('queued', 'deferred')") == []


def test_who_has_another_address_since_is_not_the_one_who_bounced(service: Service) -> None:
    with time_machine.travel("2026-11-23 20:00:00+00:00", tick=True) as clock:
        old = service.confirmed()
        clock.shift(timedelta(minutes=1))
        gone(service)
        for number, report in enumerate((HARD, COMPLAINT)):
            take(service, report, letter_id=id_of(old), fingerprint=str(number))
        assert status_of(service, email=NEW)["mailable"] is True
        assert suppressed(service) == known_by()


def test_bouncing_and_confirming_at_once_end_in_one_of_the_two(service: Service) -> None:
    for number in range(3):
        email = f"ada{number}@example.org"
        service.subscribe(email)
        letter = service.letter()
        report = partial(take, service, HARD, letter_id=id_of(letter), fingerprint=email)
        pressed, outcome = at_once([partial(service.post, letter.link), report])
        assert outcome is Outcome.TAKEN
        status = status_of(service, email=email)
        # Bounced first: the link is dead. Pressed first: the mailbox lives, whatever bounced.
        assert (pressed.status_code, status["status"]) in {(410, "bounced"), (200, "confirmed")}
        assert status["mailable"] == (status["status"] == "confirmed")


def test_the_same_report_many_times_at_once_counts_once(service: Service) -> None:
    letter = service.confirmed()
    outcomes = at_once([partial(take, service, COMPLAINT, letter_id=id_of(letter))] * 6)
    assert sorted(outcomes) == [*[Outcome.REPEATED] * 5, Outcome.TAKEN]
    assert service.events().count("subscription.complained") == 1


def test_reports_erasure_and_a_new_request_at_once_leave_nobody_waiting(service: Service) -> None:
    key = service.key(Scope.SUBSCRIBERS_WRITE)
    for number in range(2):
        letter = service.confirmed(f"ada{number}@example.org", newsletters=["weekly", "events"])
        path = f"/api/v1/subscribers/ada{number}@example.org"
        reports = [
            partial(take, service, each, letter_id=id_of(letter), fingerprint=f"{each.kind} {number}")
            for each in (HARD, SOFT, COMPLAINT, UNSUBSCRIBE)
        ]
        erase = partial(service.app.test_client().delete, path, headers=key)
        *_, erased, asked = at_once([*reports, erase, partial(service.subscribe, f"ada{number}@example.org")])
        assert (erased.status_code, asked.status_code) == (204, 202)
        service.work()


def test_the_person_finds_the_reports_among_their_data(service: Service) -> None:
    letter = service.confirmed()
    take(service, SOFT, letter_id=id_of(letter))
    with service.database.read_only() as connection:
        (person,) = service.rows("SELECT id FROM subscribers")
        holdings = access.find(connection, UUID(str(person.id)))
    assert holdings
    (report,) = holdings.parts["feedback_reports"]
    assert (report["kind"], report["source"], report["code"]) == ("soft_bounce", "dsn", "5.2.2")
