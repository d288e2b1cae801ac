"""A request while a confirmation letter has not left yet: it joins that letter, which goes at its own time.

So nobody who fills in a form with somebody's address can hold up, multiply or lose a letter of theirs.
"""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial

import pytest
from sqlalchemy import text, update

from app import clock
from app.outbox import Letter, State
from tests.clocks import Clock
from tests.concurrency import at_once, await_lock
from tests.features.conftest import OpenService
from tests.joining import FOUR, ask, asks_for, catalogue_of_four
from tests.log import audited
from tests.moving import wrong
from tests.receipts import receipt
from tests.reports import status_of
from tests.service import ADA, BOTH, COOL_DOWN, GRACE, Service

FIRST, SECOND = "the id of the first form, random", "the id of the second form, random"
MINUTE = timedelta(minutes=1)


@pytest.fixture
def service(open_service: OpenService) -> Service:
    return open_service(catalogue=catalogue_of_four())


def test_what_is_asked_for_within_a_second_is_in_one_letter_and_confirmed_by_its_link(service: Service) -> None:
    ask(service, "weekly")
    ask(service, "events")
    (letter,) = service.deliver()
    assert asks_for(letter) == ["events", "weekly"]
    assert service.post(letter.link).get_json()["newsletters"] == ["events", "weekly"]
    assert {status_of(service, name)["status"] for name in BOTH} == {"confirmed"}


@pytest.mark.parametrize("typed", [FIRST, SECOND])
def test_and_by_its_code_in_whichever_form_it_is_typed(service: Service, typed: str) -> None:
    service.subscribe(newsletters="weekly", attempt=FIRST)
    service.subscribe(newsletters="events", attempt=SECOND)
    code = service.letter().code
    assert service.type_code(typed, code).get_json()["newsletters"] == ["events", "weekly"]


def test_a_letter_that_was_asked_for_without_a_form_gets_a_code_for_the_one_that_joins(service: Service) -> None:
    service.subscribe(newsletters="weekly")
    service.subscribe(newsletters="events", attempt=FIRST)
    assert service.type_code(FIRST, service.letter().code).status_code == 200


def test_many_forms_give_no_more_guesses_at_one_letter(service: Service) -> None:
    for newsletter, form in (("weekly", FIRST), ("events", SECOND)):
        service.subscribe(newsletters=newsletter, attempt=form)
    code = service.letter().code
    for form in (FIRST, SECOND, FIRST, SECOND, FIRST):
        assert service.type_code(form, "000000" if code != "000000" else "111111").status_code == 422
    assert service.type_code(SECOND, code).status_code == 422


def test_each_request_keeps_its_own_evidence_and_the_receipts_cite_it(service: Service) -> None:
    service.submit(newsletters="weekly", language="nl")
    service.subscribe(newsletters="events", language="en")
    (letter,) = service.work()
    service.post(letter.link)
    (owed,) = service.rows("SELECT id FROM letters")
    for newsletter, language in (("weekly", "nl"), ("events", "en")):
        asked, taken, _confirmed = [
            json.loads(each["evidence"]) for each in receipt(service, newsletter)["record"]["events"]
        ]
        assert (asked["newsletter"], asked["language"]) == (newsletter, language)
        assert (
            asked["letter_owed"].replace("-", "") == taken["letter"].replace("-", "") == str(owed.id).replace("-", "")
        )
        assert wrong(service, newsletter) == []
    assert audited(service) == []


def test_the_letter_names_no_page_if_it_was_asked_for_on_several(service: Service) -> None:
    elsewhere = {"headers": {"Origin": "https://example.org", "Referer": "https://example.org/books"}}
    fields = {"email": ADA, "consent": True, "language": "en"}
    service.post("/subscribe", json={**fields, "newsletters": "weekly"}, **elsewhere)
    service.post("/subscribe", json={**fields, "newsletters": "events"}, **elsewhere)
    assert "example.org" in service.letter().text.partition("made on")[2].partition("\n\n")[0]
    service.post("/subscribe", json={**fields, "email": "bea@example.org", "newsletters": "weekly"}, **elsewhere)
    service.post("/subscribe", json={**fields, "email": "bea@example.org", "newsletters": "events"})
    assert "example.org" not in service.letter().text.partition("made on")[2].partition("\n\n")[0]


def test_a_letter_that_waits_for_its_turn_takes_along_what_is_asked_for_meanwhile(
    service: Service, moved: Clock
) -> None:
    ask(service, "weekly")
    service.deliver()
    moved.shift(MINUTE)
    ask(service, "events")
    moved.shift(8 * MINUTE)
    ask(service, "monthly")
    assert service.deliver() == []
    moved.shift(MINUTE + COOL_DOWN - 10 * MINUTE)
    (letter,) = service.deliver()
    assert asks_for(letter) == ["events", "monthly"]


def test_a_stranger_who_asks_in_a_loop_neither_holds_up_nor_multiplies_nor_loses_a_letter(
    service: Service, moved: Clock
) -> None:
    ask(service, "weekly")
    for number in range(60):
        ask(service, *FOUR[: number % 4 + 1])
        ask(service, FOUR[number % 4])
        moved.shift(timedelta(seconds=7))
    (letter,) = service.deliver()
    assert asks_for(letter) == FOUR
    moved.shift(timedelta(hours=1))
    assert service.deliver() == []
    assert service.post(letter.link).get_json()["newsletters"] == FOUR
    assert len(service.events()) <= 4 * 4 + 4 + 4, "each joins once"


def test_it_spends_one_letter_of_the_day(service: Service, moved: Clock) -> None:
    for newsletter in FOUR:
        ask(service, newsletter)
    sent = len(service.deliver())
    for _ in range(8):
        moved.shift(COOL_DOWN)
        ask(service, "weekly")
        sent += len(service.deliver())
    assert sent == 5


def test_who_has_no_letter_left_today_is_asked_for_more_by_the_one_that_waits(service: Service, moved: Clock) -> None:
    for _ in range(4):
        ask(service, "weekly")
        service.deliver()
        moved.shift(COOL_DOWN)
    service.mail.answers_to_rcpt = ["450 4.2.0 greylisted"]
    ask(service, "weekly")
    assert service.deliver() == []
    ask(service, "events")
    moved.shift(MINUTE)
    (letter,) = service.deliver()
    assert asks_for(letter) == BOTH[::-1]


def test_a_letter_that_was_put_off_by_its_mail_server_takes_more_along(service: Service, moved: Clock) -> None:
    service.mail.answers_to_rcpt = ["450 4.2.0 greylisted"] * 4
    ask(service, "weekly")
    for _ in range(4):
        assert service.deliver() == []
        ask(service, "weekly")
        moved.shift(15 * MINUTE)
    ask(service, "events", "weekly")
    (letter,) = service.deliver()
    assert asks_for(letter) == ["events", "weekly"]
    assert service.events().count("subscription.requested") == 3
    moved.shift(COOL_DOWN)
    assert service.deliver() == []


def test_a_letter_that_is_being_sent_is_left_alone_and_nothing_is_lost(service: Service, moved: Clock) -> None:
    ask(service, "weekly")
    service.mail.on_taken = partial(ask, service, "events", "weekly")
    first = service.letter()
    service.mail.on_taken = lambda: None
    assert asks_for(first) == ["weekly"]
    assert status_of(service)["confirmation_mail"]["state"] == "sent"
    moved.shift(COOL_DOWN)
    second = service.letter()
    assert asks_for(second) == ["events"]
    for letter, newsletter in ((first, "weekly"), (second, "events")):
        assert service.post(letter.link).get_json()["newsletters"] == [newsletter]
        assert wrong(service, newsletter) == []
    assert audited(service) == []


def test_nor_is_one_dropped_that_a_worker_has_taken_and_not_composed_yet(service: Service, moved: Clock) -> None:
    ask(service, "weekly", email=GRACE)
    moved.shift(timedelta(seconds=1))
    ask(service, "weekly")
    service.mail.on_taken = partial(ask, service, "events", "weekly")
    assert [(each.delivered.recipient, asks_for(each)) for each in service.deliver()] == [
        (GRACE, ["weekly"]),
        (ADA, ["weekly"]),
    ]


def test_a_letter_that_may_have_arrived_is_not_joined(service: Service, moved: Clock) -> None:
    ask(service, "weekly")
    later = {"state": State.DEFERRED, "due_at": clock.now() + timedelta(hours=1)}
    with service.database.transaction() as session:
        session.execute(update(Letter).values(unanswered=1, **later))
    moved.shift(COOL_DOWN)
    ask(service, "weekly")
    ask(service, "events")
    (letter,) = service.deliver()
    assert asks_for(letter) == ["events", "weekly"]


def test_requests_at_once_for_one_new_address_are_one_letter_that_asks_for_all(service: Service) -> None:
    at_once([partial(ask, service, each) for each in FOUR])
    (letter,) = service.deliver()
    assert asks_for(letter) == FOUR
    assert len(service.rows("SELECT id FROM subscribers")) == 1


@pytest.mark.parametrize("engine", ["postgresql"])
@pytest.mark.parametrize("taken", [True, False], ids=["taken", "given back"])
def test_of_a_request_and_a_worker_at_once_the_request_waits_and_finds_what_is_so(
    service: Service, moved: Clock, taken: bool
) -> None:
    ask(service, "weekly")
    lease = "lease = gen_random_uuid(), leased_until = now() + interval '1 minute', attempts = 1"
    with ThreadPoolExecutor(1) as pool, service.database.transaction() as session:
        session.execute(text(f"UPDATE letters SET {lease if taken else 'reply = NULL'}"))
        asking = pool.submit(ask, service, "events")
        await_lock(service)
    asking.result()
    letters = service.rows("SELECT about FROM letters ORDER BY created_at")
    assert [len(each.about) for each in letters] == ([1, 1] if taken else [2])
