"""Who may ask for another address: with a fresh link, without learning anything of it or flooding it."""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest

from app import clock, suppressions
from app.abuse import recipient_limit
from app.suppressions import Reason
from tests.clocks import Clock
from tests.features.conftest import OpenService
from tests.moving import HALF_AN_HOUR, INTRUDER, NEW, ask, asked, digest, digests, fresh, main
from tests.service import ADA, BROWSER, COOL_DOWN, Service
from tests.watching import assert_alike, watched
from tests.wire import header


def test_only_a_fresh_link_may_ask(service: Service, moved: Clock) -> None:
    service.confirmed(language="en")
    forwarded = (service.status() or {})["weekly"]["links"]["preferences"].removeprefix("https://subscribe.example.org")
    link = fresh(service)
    for each in (forwarded, link):
        if each is link:
            moved.shift(HALF_AN_HOUR + timedelta(seconds=2))
        answer = service.post(f"{each}/address", data={"email": NEW}, headers=BROWSER)
        assert (answer.status_code, f'action="{each}/link"' in answer.text) == (403, True)
        assert service.post(f"{each}/address", json={"email": NEW}).content_type == "application/problem+json"
    assert service.work() == []
    assert service.post("/preferences/forged/address", data={"email": NEW}).status_code == 404


@pytest.mark.parametrize("given", ["", "ada", "ada@", "ada@example.org, eve@example.org", "a\r\nBcc: e@example.org"])
def test_what_is_no_address_is_said_to_be_none_beside_its_field(service: Service, given: str) -> None:
    service.confirmed(language="en")
    answer = service.post(f"{fresh(service)}/address", data={"email": given}, headers=BROWSER)
    assert answer.status_code == 422
    assert "This is not an e-mail address that mail can be sent to." in answer.text
    assert 'aria-invalid="true"' in answer.text
    problem = service.post(f"{fresh(service)}/address", json={"email": given})
    assert (problem.status_code, list(problem.get_json()["errors"])) == (422, ["email"])
    assert service.work() == []


@pytest.mark.parametrize("given", ["\ud800@example.org", "\0", 17, None, [ADA], {"a": ADA}, 1.5e308])
def test_nor_is_what_only_a_program_can_send(service: Service, given: object) -> None:
    service.confirmed()
    for headers in (BROWSER, {}):
        assert service.post(f"{fresh(service)}/address", json={"email": given}, headers=headers).status_code == 422
    assert service.work() == []


def test_the_form_stands_on_its_page_where_the_link_is_fresh(service: Service) -> None:
    service.confirmed(language="en")
    answer = service.post(f"{fresh(service)}/address", data={"email": "ada"}, headers=BROWSER)
    assert re.search(
        r'<label for="(new-address)">[^<]+</label>\s*<input id="\1" type="email" name="email"', answer.text
    )
    assert 'value="ada"' in answer.text


def test_the_address_that_one_has_brings_no_letter(service: Service) -> None:
    service.confirmed()
    expected = ask(service)
    service.work()
    same = ask(service, ADA.upper())
    assert same.text == expected.text
    assert service.work() == []


def nothing_is_known(_service: Service) -> None:
    pass


def somebody_is_there(service: Service) -> None:
    service.confirmed(NEW)


def somebody_asked_there(service: Service) -> None:
    service.subscribe(NEW)
    service.work()


def it_is_suppressed(service: Service) -> None:
    with service.database.transaction() as session:
        suppressions.suppress(session, digest(NEW), Reason.COMPLAINT, since=clock.now())


def its_budget_is_spent(service: Service) -> None:
    with service.database.transaction() as session:
        for hours in range(5, 0, -1):
            recipient_limit.spend(session, digests(NEW), clock.now() - timedelta(hours=hours))


@pytest.mark.parametrize(
    "arrange",
    [somebody_is_there, somebody_asked_there, it_is_suppressed, its_budget_is_spent],
    ids=lambda arrange: arrange.__name__,
)
def test_whoever_asks_learns_nothing_of_the_new_address(
    open_service: OpenService, arrange: Callable[[Service], None], moved: Clock
) -> None:
    # At so many posts a minute no lot of them is told to the database meanwhile.
    service = open_service(rate_limit_subscribe=10_000)
    for email in (ADA, "grace@example.org"):
        service.confirmed(email)
    sent = {"data": {"email": "nobody@example.net"}, "headers": BROWSER}
    link, other = fresh(service), fresh(service, "grace@example.org")
    expected, work = watched(service, lambda: service.post(f"{link}/address", **sent))
    service.work()
    arrange(service)
    there = {**sent, "data": {"email": NEW}}
    answer, worked = watched(service, lambda: service.post(f"{other}/address", **there))
    assert_alike(answer, expected)
    assert worked == work
    assert len(work) > 5


@pytest.mark.parametrize("arrange", [it_is_suppressed, its_budget_is_spent], ids=lambda arrange: arrange.__name__)
def test_an_address_that_must_not_be_asked_gets_no_letter(service: Service, arrange: Callable[[Service], None]) -> None:
    service.confirmed()
    arrange(service)
    ask(service)
    assert service.work() == []


def test_an_address_that_is_suppressed_before_the_letter_leaves_gets_none(service: Service) -> None:
    service.confirmed()
    ask(service)
    it_is_suppressed(service)
    assert service.work() == []
    assert "address_change" in [row.kind for row in service.rows("SELECT kind FROM letters WHERE state = 'dropped'")]


def test_nobody_is_flooded_through_it(service: Service, moved: Clock) -> None:
    """One address gets what any signup may bring it, and one person writes to a few strangers a day."""
    for email in (ADA, "grace@example.org", "eve@example.org"):
        service.confirmed(email)
    ask(service)
    ask(service)
    ask(service, email="grace@example.org")
    assert len(service.deliver()) == 1
    moved.shift(COOL_DOWN)
    assert len(service.work()) == 1
    moved.shift(timedelta(days=1, minutes=1))
    strangers = [f"stranger{number}@example.net" for number in range(8)]
    for each in strangers:
        ask(service, each, "eve@example.org")
        service.work()
    written = [letter.recipient for letter in service.mail.letters if letter.recipient in strangers]
    assert written == strangers[:5]
    moved.shift(timedelta(days=1, minutes=1))
    asked(service, strangers[7], "eve@example.org")


def test_a_newer_request_takes_the_place_of_an_older_one(service: Service) -> None:
    service.confirmed(language="en")
    older, newer = asked(service, INTRUDER), asked(service)
    assert service.get(older.link, headers=BROWSER).status_code == 410
    assert service.post(older.link, headers=BROWSER).status_code == 410
    assert service.post(older.link).content_type == "application/problem+json"
    assert service.post(newer.link).status_code == 200
    assert service.status(NEW)


def test_of_what_was_replaced_the_person_is_told_no_more_than_is_kept(service: Service, moved: Clock) -> None:
    service.confirmed()
    asked(service)
    moved.shift(COOL_DOWN)
    asked(service, "ada@third.example.net")
    page = service.get(f"{fresh(service)}/data", headers=BROWSER).text
    assert f"{ADA} → …</li>" in page
    assert f"{ADA} → ada@third.example.net</li>" in page


def test_a_letter_that_was_replaced_before_it_left_is_not_sent(service: Service) -> None:
    service.confirmed()
    ask(service, INTRUDER)
    ask(service)
    assert service.letter().delivered.recipient == NEW


def test_the_link_works_for_three_days(service: Service, moved: Clock) -> None:
    service.confirmed(language="en")
    letter = asked(service)
    assert "The link works until 26 November 2026, 21:00 CET" in letter.text
    moved.shift(timedelta(hours=73))
    assert service.get(letter.link, headers=BROWSER).status_code == 410
    assert service.post(letter.link).status_code == 410
    assert service.status()
    service.work()
    assert service.rows("SELECT id FROM address_changes") == []
    assert service.post(letter.link).status_code == 410
    assert service.post("/address/forged").status_code == 404
    assert service.post("/address/undo/forged").status_code == 404
    assert service.post(letter.link.replace("/address/", "/address/undo/")).status_code == 404


def test_whoever_has_the_new_mailbox_may_turn_it_down(service: Service) -> None:
    service.confirmed(language="en")
    letter = asked(service)
    assert header(letter, "List-Unsubscribe-Post") == "List-Unsubscribe=One-Click"
    assert letter.one_click == f"{letter.link}/decline"
    assert service.get(letter.one_click, headers=BROWSER).status_code == 200
    for body in ({"data": {"List-Unsubscribe": "One-Click"}}, {"headers": BROWSER}, {}):
        assert service.post(letter.one_click, **body).status_code == 200
    assert service.post(letter.link).status_code == 410
    assert (service.status() or {})["weekly"]["mailable"] is True
    known_by = digests(NEW)
    assert {tuple(row) for row in service.rows("SELECT digest, reason FROM suppressions")} == {
        (known_by.address, "declined"),
        (known_by.mailbox, "declined"),
    }
    assert NEW not in str(service.rows("SELECT * FROM address_changes"))
    ask(service)
    assert service.work() == []


def test_turning_it_down_after_it_was_confirmed_changes_nothing(service: Service) -> None:
    service.confirmed()
    letter = asked(service)
    service.post(letter.link)
    assert service.post(letter.one_click).status_code == 200
    moved = main(service.get(letter.link, headers=BROWSER))
    for answer in (service.get(letter.one_click, headers=BROWSER), service.post(letter.one_click, headers=BROWSER)):
        assert main(answer) == moved
    assert service.status(NEW)
    assert service.rows("SELECT digest FROM suppressions") == []
