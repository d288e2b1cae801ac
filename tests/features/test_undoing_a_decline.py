""" "This was not me", and taking it back: on the page that answers, for half an hour, once."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from app.suppressions import Reason
from tests.clocks import Clock
from tests.codes import ATTEMPT
from tests.commands import Jawel
from tests.correspondence import HOST
from tests.declining import ask, decline, is_quiet
from tests.leaving import leave, leave_link, undo, undo_token
from tests.log import audited
from tests.moving import NEW, asked, wrong
from tests.receipts import receipt, state
from tests.reports import COMPLAINT, id_of, status_of, take
from tests.service import BOTH, BROWSER, COOL_DOWN, Letter, Service
from tests.suppressions import suppress
from tests.tombstones import erase

HALF_AN_HOUR = timedelta(minutes=30)
MINUTE = timedelta(minutes=1)


def test_a_decline_by_mistake_is_taken_back_and_the_same_link_confirms(service: Service, moved: Clock) -> None:
    link = ask(service).link
    page = decline(service, link)
    assert "this address gets no confirmation mail for 30 days" in page.text
    assert (status_of(service)["status"], status_of(service)["reason"]) == ("unsubscribed", "declined")
    assert service.post(link).status_code == 410
    moved.shift(HALF_AN_HOUR - MINUTE)
    service.work()
    back = undo(service, link, undo_token(page))
    assert (back.status_code, status_of(service)["status"]) == (200, "pending")
    assert f'href="{link}?language=en"' in back.text
    assert service.post(link).get_json() == {"status": "confirmed", "newsletters": ["weekly"]}
    moved.shift(COOL_DOWN)
    assert not is_quiet(service)


def test_after_half_an_hour_the_address_goes_and_stays_quiet(service: Service, moved: Clock) -> None:
    link = ask(service).link
    token = undo_token(decline(service, link))
    moved.shift(HALF_AN_HOUR + MINUTE)
    late = undo(service, link, token)
    assert (late.status_code, "can no longer be undone" in late.text) == (410, True)
    service.work()
    assert service.status() is None
    assert service.rows("SELECT id FROM subscribers") == service.rows("SELECT id FROM letters") == []
    assert service.counts()["stubs"] == 1
    assert undo(service, link, token).status_code == 410
    moved.shift(timedelta(days=29))
    assert is_quiet(service)


def test_it_is_taken_back_once_and_its_page_then_says_what_is_so(service: Service) -> None:
    link = ask(service).link
    token = undo_token(decline(service, link))
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: undo(service, link, token), range(4)))
    assert sorted(answer.status_code for answer in answers) == [200, 410, 410, 410]
    assert service.events().count("subscription.requested") == 2
    assert "The request stands" in undo(service, link, token).text
    service.post(link)
    assert "can no longer be undone" in undo(service, link, token).text
    assert status_of(service)["status"] == "confirmed"


def test_a_program_is_told_the_same(service: Service) -> None:
    letter = ask(service, newsletters=BOTH)
    token = undo_token(decline(service, letter.link))
    answers = [service.post(f"{letter.link}/undo", data={"undo": token}) for _ in range(2)]
    assert answers[0].get_json() == {"status": "pending", "newsletters": ["events", "weekly"]}
    assert (answers[1].status_code, answers[1].get_json()["status"]) == (410, 410)


def test_what_is_forged_is_unknown_and_what_is_missing_is_too_late(service: Service, moved: Clock) -> None:
    service.confirmed(newsletters="events")
    leaving = leave_link(service, newsletter="events")
    undo_of_leaving = undo_token(leave(service, leaving))
    moved.shift(COOL_DOWN)
    service.subscribe(language="en")
    (link,) = [each.link for each in service.work() if each.link.startswith("/confirm/")]
    token = undo_token(decline(service, link))
    for forged in ("nonsense", undo_of_leaving, token[:-1] + ("a" if token[-1] != "a" else "b")):
        assert undo(service, link, forged).status_code == 404
    assert undo(service, "/confirm/nonsense", token).status_code == 404
    assert undo(service, leaving, token).status_code == 404
    assert undo(service, link, "").status_code == 410
    assert status_of(service)["status"] == "unsubscribed"


def again(service: Service, letter: Letter) -> None:
    assert undo_token(decline(service, letter.link)) == ""


def by_one_click(service: Service, letter: Letter) -> None:
    service.post(letter.one_click, data={"List-Unsubscribe": "One-Click"})


def by_leaving(service: Service, _letter: Letter) -> None:
    service.post(leave_link(service))


def by_preferences(service: Service, _letter: Letter) -> None:
    service.post(status_of(service)["links"]["preferences"].removeprefix(HOST), data={"all": "1"})


def by_complaint(service: Service, letter: Letter) -> None:
    take(service, COMPLAINT, letter_id=id_of(letter))


def by_erasure(service: Service, _letter: Letter) -> None:
    erase(service)


@pytest.mark.parametrize("door", [again, by_one_click, by_leaving, by_preferences, by_complaint, by_erasure])
def test_whoever_says_no_once_more_is_not_asked_again_behind_their_back(
    service: Service, door: Callable[[Service, Letter], None]
) -> None:
    letter = ask(service)
    token = undo_token(decline(service, letter.link))
    door(service, letter)
    events = service.events()
    assert undo(service, letter.link, token).status_code == 410
    assert (service.status() or {}).get("weekly", {}).get("status") != "pending"
    assert service.events() == events
    assert is_quiet(service) or door is by_erasure


def test_a_stranger_who_fills_in_the_form_meanwhile_changes_nothing(service: Service, moved: Clock) -> None:
    link = ask(service).link
    token = undo_token(decline(service, link))
    moved.shift(COOL_DOWN)
    assert is_quiet(service, newsletter="weekly")
    assert undo(service, link, token).status_code == 200


def test_all_that_one_press_ended_comes_back_together(service: Service) -> None:
    letter = ask(service, newsletters=BOTH)
    token = undo_token(decline(service, letter.link))
    assert undo(service, letter.link, token).status_code == 200
    assert {status_of(service, name)["status"] for name in BOTH} == {"pending"}
    assert service.post(letter.link).get_json()["newsletters"] == ["events", "weekly"]


def test_what_was_confirmed_by_the_letter_comes_back_confirmed_and_the_person_is_told(service: Service) -> None:
    letter = ask(service, newsletters=BOTH)
    service.post(letter.link, json={"newsletters": ["weekly"]})
    token = undo_token(decline(service, letter.link))
    assert {status_of(service, name)["status"] for name in BOTH} == {"unsubscribed"}
    page = undo(service, letter.link, token)
    assert ("You keep getting:" in page.text, "The request stands" in page.text) == (True, True)
    assert [status_of(service, name)["status"] for name in BOTH] == ["confirmed", "pending"]
    assert [each.subject for each in service.deliver()] == ["You are subscribed again: Weekly letter"]


def test_nothing_of_a_press_comes_back_if_the_notice_cannot_go(service: Service) -> None:
    letter = ask(service, newsletters=BOTH)
    service.post(letter.link, json={"newsletters": ["weekly"]})
    token = undo_token(decline(service, letter.link))
    suppress(service, Reason.HARD_BOUNCE)
    assert undo(service, letter.link, token).status_code == 410
    assert {status_of(service, name)["status"] for name in BOTH} == {"unsubscribed"}
    assert service.events().count("subscription.requested") == 2


def test_presses_and_undos_in_turns_make_few_events_a_day(service: Service, moved: Clock) -> None:
    link = ask(service).link
    for _ in range(10):
        if token := undo_token(decline(service, link)):
            undo(service, link, token)
    assert service.events().count("subscription.declined") == 4
    assert service.status() is None
    service.work()
    assert audited(service) == []


def test_the_objection_of_another_address_of_the_mailbox_stays(service: Service, moved: Clock) -> None:
    first, second = ask(service, "ada+1@example.org").link, ask(service, "ada+2@example.org").link
    decline(service, first)
    token = undo_token(decline(service, second))
    assert undo(service, second, token).status_code == 200
    assert is_quiet(service, "ada+3@example.org")
    assert service.post(second).status_code == 200, "its own link works all the same"


def test_a_later_objection_stays_too(service: Service) -> None:
    first, second = ask(service, "ada+1@example.org").link, ask(service, "ada+2@example.org").link
    token = undo_token(decline(service, first))
    decline(service, second)
    assert undo(service, first, token).status_code == 200
    assert is_quiet(service, "ada+3@example.org")


def test_other_addresses_of_the_mailbox_are_asked_again_too(service: Service) -> None:
    link = ask(service, "ada+1@example.org").link
    token = undo_token(decline(service, link))
    assert is_quiet(service)
    undo(service, link, token)
    assert not is_quiet(service, "ada+3@example.org")


def test_the_link_and_the_request_end_when_they_would_have_ended(service: Service, moved: Clock) -> None:
    link = ask(service).link
    moved.shift(timedelta(hours=71))
    undo(service, link, undo_token(decline(service, link)))
    moved.shift(timedelta(minutes=50))
    assert service.get(link, headers=BROWSER).status_code == 200
    moved.shift(timedelta(minutes=20))
    assert service.post(link).status_code == 410
    moved.shift(timedelta(hours=23))
    service.work()
    assert status_of(service)["status"] == "pending"
    moved.shift(timedelta(hours=1))
    service.work()
    assert service.status() is None


def test_the_code_works_again_too(service: Service) -> None:
    service.subscribe(attempt=ATTEMPT, language="en")
    letter = service.letter()
    token = undo_token(decline(service, letter.link))
    assert service.type_code(ATTEMPT, letter.code).status_code == 422
    undo(service, letter.link, token)
    assert service.type_code(ATTEMPT, letter.code).status_code == 200


def test_whoever_had_left_before_is_unsubscribed_as_before_and_asked_again_by_the_undo(
    service: Service, moved: Clock
) -> None:
    service.post(service.confirmed().one_click)
    left = status_of(service)
    moved.shift(timedelta(days=1))
    service.work()
    link = ask(service).link
    token = undo_token(decline(service, link))
    assert [status_of(service)[name] for name in ("status", "reason", "since")] == [
        "unsubscribed",
        "page",
        left["since"],
    ]
    assert undo(service, link, token).status_code == 200
    assert status_of(service)["status"] == "pending"
    moved.shift(timedelta(hours=97))
    service.work()
    assert status_of(service)["since"] == left["since"]


def test_the_evidence_holds_whether_it_is_confirmed_or_not(service: Service, jawel: Jawel) -> None:
    link = ask(service).link
    undo(service, link, undo_token(decline(service, link)))
    requested, refused = "dpv:ConsentRequested", "dpv:ConsentRefused"
    taken = "jawel:LetterAccepted"
    assert state(receipt(service)) == (requested, [requested, taken, refused, requested])
    service.post(link)
    assert state(receipt(service))[0] == "dpv:ConsentGiven"
    assert wrong(service) == []
    assert jawel("ledger", "audit").exit_code == 0
    again = receipt(service)["record"]["events"][3]
    assert (again["method"], again["entity_id"]) == ("undo", "mailbox holder")


def test_a_request_that_was_declined_keeps_nobody_from_moving_there(service: Service, moved: Clock) -> None:
    link = ask(service, NEW).link
    service.confirmed()
    moved.shift(COOL_DOWN)
    change = asked(service).link
    token = undo_token(decline(service, link))
    assert service.post(change).status_code == 200
    assert set(service.status(NEW) or {}) == {"weekly"}
    assert undo(service, link, token).status_code == 410
    assert audited(service) == []


def test_nobody_brings_back_by_an_old_mailbox_what_its_owner_has_moved_away_from(
    service: Service, moved: Clock
) -> None:
    service.confirmed()
    moved.shift(COOL_DOWN)
    link = ask(service, newsletters="events").link
    change = asked(service).link
    token = undo_token(decline(service, link))
    assert service.post(change).status_code == 200
    assert undo(service, link, token).status_code == 410
    assert set(service.status(NEW) or {}) == {"weekly"}
