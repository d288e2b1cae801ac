"""Moving to another address (GDPR Art. 16): asked for with a fresh link, confirmed there, undone from here."""

import json
import re
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from uuid import UUID

import pytest
import time_machine
from sqlalchemy import event, text
from werkzeug.test import TestResponse

from app import budgets, clock, services, suppressions
from app.addresses import Digests, EmailAddress
from app.keys import Scope
from app.ledger.verifier import Trust, examine_receipt
from app.privacy import retention
from app.suppressions import Reason
from tests.features.conftest import OpenService
from tests.features.test_letters_on_the_wire import header
from tests.features.test_no_oracle import assert_alike, watched
from tests.features.test_races import REFUSE, at_once
from tests.features.test_receipts import KEY, receipt_text
from tests.log import audited
from tests.service import ADA, BROWSER, COOL_DOWN, Letter, Service
from tests.tombstones import assert_each_blank_event_is_named, erase

NEW = "ada@lovelace.example.net"
INTRUDER = "mallory@example.com"
MASKED, MASKED_NEW = "a••@e••.org", "a••@l••.net"
HALF_AN_HOUR = timedelta(minutes=30)

Clock = time_machine.Traveller


@pytest.fixture
def moved() -> Iterator[Clock]:
    with time_machine.travel("2026-11-23 20:00:00+00:00", tick=True) as clock:
        yield clock


def person(service: Service, email: str = ADA) -> UUID:
    answer = service.get(f"/api/v1/subscribers/{email}", headers=service.key())
    return UUID(answer.get_json()["id"])


def fresh(service: Service, email: str = ADA) -> str:
    """The link that the person is mailed on request."""
    link = services.of(service.app).links.manage(person(service, email), clock.now() + HALF_AN_HOUR)
    return link.removeprefix("https://subscribe.example.org")


def ask(service: Service, wanted: str = NEW, email: str = ADA) -> TestResponse:
    answer = service.post(f"{fresh(service, email)}/address", data={"email": wanted}, headers=BROWSER)
    assert answer.status_code == 200
    return answer


def asked(service: Service, wanted: str = NEW, email: str = ADA) -> Letter:
    """The letter at the new address."""
    ask(service, wanted, email)
    letter = service.letter()
    assert letter.delivered.recipient.lower() == wanted.lower()
    return letter


def gone(service: Service, wanted: str = NEW, email: str = ADA) -> Letter:
    """Somebody who moved, more than a second ago; the notice that their old address got."""
    assert service.post(asked(service, wanted, email).link, headers=BROWSER).status_code == 200
    notice = service.letter()
    assert notice.delivered.recipient == email
    # A link that is mailed in the second of a move is weak: a token names no parts of one.
    time.sleep(1 - clock.now().microsecond / 1_000_000)
    return notice


def main(answer: TestResponse) -> str:
    """Around it, a page that was asked for by GET offers other languages."""
    found = re.search("<main>.*</main>", answer.text, re.DOTALL)
    assert found
    return found[0]


def digest(email: str) -> str:
    return EmailAddress.parse(email).digest("a suppression key for tests, of some length")


def digests(email: str) -> Digests:
    return EmailAddress.parse(email).digests("a suppression key for tests, of some length")


def findings(service: Service, newsletter: str = "weekly") -> list[str]:
    return [str(each) for each in examine_receipt(receipt_text(service, newsletter), Trust([KEY]))]


def wrong(service: Service, newsletter: str = "weekly") -> list[str]:
    return [each for each in findings(service, newsletter) if each.startswith("WRONG")]


def test_article_16_an_address_is_changed_from_the_preferences_to_the_new_mailbox_and_told_to_the_old(
    service: Service,
) -> None:
    service.confirmed(newsletters=["weekly", "events"], language="en")
    who = person(service)
    answer = ask(service)
    assert "look in the inbox of your new address" in answer.text
    assert service.status(NEW) is None
    letter = service.letter()
    assert letter.delivered.recipient == NEW
    assert "received a request to send these newsletters to this address" in letter.text
    assert f"no longer to {MASKED}" in letter.text
    assert ADA not in letter.text
    page = service.get(letter.link, headers=BROWSER)
    assert (page.status_code, page.text.count("<h1>")) == (200, 1)
    assert f"Weekly letter to {MASKED_NEW} from now on, and no longer to {MASKED}?" in page.text
    assert ADA not in page.text
    assert NEW not in page.text
    done = service.post(letter.link, headers=BROWSER)
    assert (done.status_code, "Done: your address is changed" in done.text) == (200, True)
    assert service.status(ADA) is None
    status = service.status(NEW)
    assert status
    assert {name: each["mailable"] for name, each in status.items()} == {"weekly": True, "events": True}
    assert person(service, NEW) == who
    found = service.get(f"/api/v1/subscribers/{who}", headers=service.key()).get_json()
    assert found["email"] == NEW
    notice = service.letter()
    assert notice.delivered.recipient == ADA
    assert f"to {MASKED_NEW}, and no longer to this address" in notice.text
    assert NEW not in notice.text


def test_the_status_of_other_services_follows_in_the_feed(service: Service) -> None:
    service.confirmed()
    who = person(service)
    gone(service)
    service.deliver()
    feed = service.get("/api/v1/events", headers=service.key(Scope.EVENTS_READ)).get_json()["events"]
    assert {each["subscriber"] for each in feed} == {str(who)}
    assert [each["type"] for each in feed] == [
        "subscription.requested",
        "letter.accepted",
        "subscription.confirmed",
        "letter.accepted",
        "subscription.requested",
        "subscription.confirmed",
        "letter.accepted",
    ]
    lookup = service.post(
        "/api/v1/subscribers/lookup", json={"newsletter": "weekly", "emails": [ADA, NEW]}, headers=service.key()
    )
    assert [each["status"] for each in lookup.get_json()["results"]] == ["unknown", "confirmed"]


def test_the_chain_of_evidence_goes_on_from_one_address_to_the_next(service: Service) -> None:
    service.confirmed(language="en")
    gone(service)
    assert wrong(service) == []
    events = json.loads(receipt_text(service))["record"]["events"]
    first, *_, last = [json.loads(each["evidence"]) for each in events if each["type"] == "subscription.requested"]
    assert last["previous_address_commitment"] == first["address_commitment"] != last["address_commitment"]
    assert (last["method"], last["actor"], last["wordings"]) == ("address_change", "mailbox holder", first["wordings"])
    letters = [json.loads(each["evidence"]) for each in events if each["type"] == "letter.accepted"]
    assert [(each["kind"], each.get("address_commitment")) for each in letters] == [
        ("confirmation", first["address_commitment"]),
        ("address_change", last["address_commitment"]),
        ("address_changed", first["address_commitment"]),
    ]
    confirmed = [json.loads(each["evidence"]) for each in events if each["type"] == "subscription.confirmed"]
    assert (confirmed[-1]["method"], len(confirmed[-1]["page_sha256"])) == ("button", 64)
    assert events[-2]["event_state"] == "dpv:RenewedConsentGiven"
    assert ADA not in json.dumps(events)
    assert NEW not in json.dumps(events)
    assert audited(service) == []


def test_one_press_in_the_old_mailbox_undoes_it(service: Service) -> None:
    service.confirmed(language="en")
    who = person(service)
    notice = gone(service)
    page = service.get(notice.link, headers=BROWSER)
    assert (page.status_code, "Was it not you?" in page.text) == (200, True)
    assert service.status(NEW)
    back = service.post(notice.link, headers=BROWSER)
    assert (back.status_code, "Done: your old address is back" in back.text) == (200, True)
    assert person(service) == who
    assert service.status(NEW) is None
    assert (service.status() or {})["weekly"]["mailable"] is True
    events = service.events()
    again = service.post(notice.link, headers=BROWSER)
    assert (again.status_code, again.text) == (200, back.text)
    assert main(service.get(notice.link, headers=BROWSER)) == main(back)
    assert service.events() == events
    assert wrong(service) == []
    assert any("changes: 2" in each for each in findings(service))
    assert service.deliver() == []
    assert audited(service) == []


def test_a_second_press_changes_nothing_and_answers_the_same(service: Service) -> None:
    service.confirmed(language="en")
    letter = asked(service)
    first = service.post(letter.link, headers=BROWSER)
    events = service.events()
    second = service.post(letter.link, headers=BROWSER)
    assert (second.status_code, second.text) == (200, first.text)
    assert main(service.get(letter.link, headers=BROWSER)) == main(first)
    assert service.post(letter.link).get_json() == {"status": "confirmed"}
    assert service.events() == events
    assert len(service.deliver()) == 1


@pytest.mark.parametrize("presses", [2, 8])
def test_presses_at_once_are_one_move(service: Service, presses: int) -> None:
    service.confirmed()
    link = asked(service).link
    answers = at_once([lambda: service.post(link)] * presses)
    assert {answer.status_code for answer in answers} == {200}
    assert service.events().count("subscription.confirmed") == 2
    assert len(service.deliver()) == 1


def test_moving_while_being_erased_ends_in_nothing(service: Service) -> None:
    for number in range(5):
        email, new = f"ada{number}@example.org", f"ada{number}@lovelace.example.net"
        service.confirmed(email)
        link, who = asked(service, new, email).link, person(service, email)
        answer, _ = at_once([partial(service.post, link), partial(erase, service, who)])
        assert answer.status_code in (200, 410)
        assert service.status(email) is None
        assert service.status(new) is None
        assert service.post(link).status_code == 410
    assert service.deliver() == []
    assert service.counts()["address_changes"] == service.counts()["letters"] == 0
    assert_each_blank_event_is_named(service)


def test_a_link_that_is_opened_in_the_middle_of_an_erasure_finds_all_or_nothing(service: Service) -> None:
    service.confirmed()
    link = asked(service).link

    def erase_all(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        if "FROM address_changes" in statement:
            with service.database.transaction() as session:
                session.execute(text("DELETE FROM subscribers"))

    event.listen(service.database.reader, "after_cursor_execute", erase_all)
    assert service.get(link, headers=BROWSER).status_code in (200, 410)
    assert service.get(link, headers=BROWSER).status_code == 410


def test_signing_up_for_either_address_while_moving_leaves_one_of_each(service: Service) -> None:
    for number in range(5):
        email, new = f"ada{number}@example.org", f"ada{number}@lovelace.example.net"
        service.confirmed(email)
        link = asked(service, new, email).link
        signup = partial(service.subscribe, newsletters="events")
        answer, *others = at_once([partial(service.post, link), partial(signup, new), partial(signup, email)])
        assert {each.status_code for each in others} == {202}
        assert answer.status_code == 200
        found = service.status(new)
        assert found
        assert found["weekly"]["status"] == "confirmed"
        service.deliver()
        assert service.rows("SELECT canonical FROM subscribers GROUP BY canonical HAVING count(*) > 1") == []
        for row in service.rows("SELECT former_commitment FROM subscriptions WHERE status = 'pending'"):
            assert row.former_commitment is None


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
    assert service.deliver() == []
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
    assert service.deliver() == []


@pytest.mark.parametrize("given", ["\ud800@example.org", "\0", 17, None, [ADA], {"a": ADA}, 1.5e308])
def test_nor_is_what_only_a_program_can_send(service: Service, given: object) -> None:
    service.confirmed()
    for headers in (BROWSER, {}):
        assert service.post(f"{fresh(service)}/address", json={"email": given}, headers=headers).status_code == 422
    assert service.deliver() == []


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
    service.deliver()
    same = ask(service, ADA.upper())
    assert same.text == expected.text
    assert service.deliver() == []


def nothing_is_known(_service: Service) -> None:
    pass


def somebody_is_there(service: Service) -> None:
    service.confirmed(NEW)


def somebody_asked_there(service: Service) -> None:
    service.subscribe(NEW)
    service.deliver()


def it_is_suppressed(service: Service) -> None:
    with service.database.transaction() as session:
        suppressions.suppress(session, digest(NEW), Reason.COMPLAINT, since=clock.now())


def its_budget_is_spent(service: Service) -> None:
    with service.database.transaction() as session:
        for hours in range(5, 0, -1):
            budgets.spend(session, digests(NEW), clock.now() - timedelta(hours=hours))


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
    service.deliver()
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
    assert service.deliver() == []


def test_an_address_that_is_suppressed_before_the_letter_leaves_gets_none(service: Service) -> None:
    service.confirmed()
    ask(service)
    it_is_suppressed(service)
    assert service.deliver() == []
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
    assert len(service.deliver()) == 1
    moved.shift(timedelta(days=1, minutes=1))
    strangers = [f"stranger{number}@example.net" for number in range(8)]
    for each in strangers:
        ask(service, each, "eve@example.org")
        service.deliver()
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
    service.deliver()
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
    assert service.deliver() == []


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
    assert service.deliver() == []


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


def left(service: Service, email: str, newsletter: str) -> None:
    status = service.status(email)
    assert status
    service.post(status[newsletter]["links"]["unsubscribe"].removeprefix("https://subscribe.example.org"))
    service.deliver()


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


def test_an_intruder_who_moves_twice_is_undone_at_once(service: Service, moved: Clock) -> None:
    service.confirmed(language="en")
    notice = gone(service, INTRUDER)
    moved.shift(COOL_DOWN)
    second = gone(service, "mallory@example.net", INTRUDER)
    moved.shift(COOL_DOWN)
    third = asked(service, "mallory@example.edu", "mallory@example.net")
    key = fresh(service, "mallory@example.net")
    moved.shift(timedelta(seconds=2))
    assert service.post(notice.link).get_json() == {"status": "undone"}
    assert service.status()
    assert service.post(second.link).status_code == 410
    assert service.post(third.link).status_code == 410
    assert service.post(f"{key}/address", data={"email": INTRUDER}, headers=BROWSER).status_code == 403
    assert service.deliver() == []
    assert wrong(service) == []


def test_an_intruder_cannot_take_the_old_address_to_keep_it_from_coming_back(service: Service, moved: Clock) -> None:
    service.confirmed()
    notice = gone(service, INTRUDER)
    moved.shift(COOL_DOWN)
    service.subscribe(ADA, newsletters="events")
    service.deliver()
    assert service.post(notice.link).status_code == 200
    assert set(service.status() or {}) == {"weekly"}


def test_an_old_address_that_somebody_has_confirmed_since_is_not_taken_from_them(
    service: Service, moved: Clock
) -> None:
    service.confirmed(language="en")
    notice = gone(service)
    moved.shift(COOL_DOWN)
    service.confirmed(ADA, newsletters="events", language="en")
    answer = service.post(notice.link, headers=BROWSER)
    assert (answer.status_code, "subscriptions of its own" in answer.text) == (409, True)
    assert set(service.status() or {}) == {"events"}
    assert set(service.status(NEW) or {}) == {"weekly"}


def test_a_link_that_was_fresh_at_the_old_address_is_stale_at_the_new_one(service: Service, moved: Clock) -> None:
    service.confirmed()
    link = fresh(service)
    moved.shift(timedelta(minutes=2))
    gone(service)
    assert service.post(f"{link}/address", data={"email": INTRUDER}, headers=BROWSER).status_code == 403
    moved.shift(timedelta(minutes=2))
    asked(service, INTRUDER, NEW)


def test_it_can_be_undone_for_a_week_and_is_forgotten_then(service: Service, moved: Clock) -> None:
    service.confirmed(language="en")
    letter = asked(service)
    moved.shift(timedelta(hours=70))
    service.post(letter.link)
    notice = service.letter()
    moved.shift(timedelta(days=6, hours=23))
    service.deliver()
    assert service.get(notice.link, headers=BROWSER).status_code == 200
    assert service.get(letter.link, headers=BROWSER).status_code == 200
    moved.shift(timedelta(hours=2))
    assert service.post(notice.link).status_code == 410
    assert retention.Kind.ADDRESS_CHANGES in [
        each.kind for each in retention.chores(services.of(service.app).catalogue.get())
    ]
    service.deliver()
    assert service.rows("SELECT id FROM address_changes") == []
    assert service.rows("SELECT id FROM letters WHERE address_change_id IS NOT NULL") == []
    assert service.get(notice.link, headers=BROWSER).status_code == 410
    assert service.get(letter.link, headers=BROWSER).status_code == 410
    assert wrong(service) == []


def test_the_notice_is_not_sent_any_more_once_it_is_undone_or_over(service: Service, moved: Clock) -> None:
    service.confirmed()
    service.post(asked(service).link)
    moved.shift(timedelta(days=8))
    assert service.deliver() == []


def test_a_suppression_of_the_old_address_stays_with_it(service: Service) -> None:
    service.confirmed()
    letter = asked(service)
    with service.database.transaction() as session:
        suppressions.suppress(session, digest(ADA), Reason.HARD_BOUNCE, since=clock.now())
    assert (service.status() or {})["weekly"]["mailable"] is False
    service.post(letter.link)
    assert (service.status(NEW) or {})["weekly"]["mailable"] is True
    assert service.deliver() == []


def test_the_notice_can_be_unsubscribed_from_like_any_letter(service: Service) -> None:
    service.confirmed()
    notice = gone(service)
    assert notice.one_click.startswith("/unsubscribe/")
    assert service.post(notice.one_click, data={"List-Unsubscribe": "One-Click"}).status_code == 200
    assert (service.status(NEW) or {})["weekly"]["status"] == "unsubscribed"
    assert service.post(notice.link).get_json() == {"status": "undone"}
    assert (service.status() or {})["weekly"]["status"] == "unsubscribed"


@pytest.mark.parametrize("when", ["open", "confirmed", "undone"])
@pytest.mark.parametrize("who", ["person", "former", "new"])
def test_erasure_takes_changes_and_letters_along(service: Service, when: str, who: str) -> None:
    service.confirmed()
    name = person(service)
    letter = asked(service)
    if when != "open":
        service.post(letter.link)
        notice = service.letter()
        if when == "undone":
            service.post(notice.link)
    erase(service, {"person": name, "former": ADA, "new": NEW}[who])
    assert service.rows("SELECT id FROM address_changes") == []
    assert service.rows("SELECT id FROM letters WHERE address_change_id IS NOT NULL") == []
    assert service.post(letter.link).status_code == 410
    if who == "person":
        assert service.counts()["subscribers"] == service.counts()["letters"] == 0
    assert_each_blank_event_is_named(service)


def test_a_program_is_answered_as_a_program(service: Service) -> None:
    service.confirmed()
    answer = service.post(f"{fresh(service)}/address", json={"email": NEW})
    assert (answer.status_code, answer.get_json()) == (202, {"status": "accepted"})
    letter = service.letter()
    assert service.post(letter.link, json={}).get_json() == {"status": "confirmed"}
    found = json.loads(receipt_text(service))["record"]["events"]
    confirmed = [json.loads(each["evidence"]) for each in found if each["type"] == "subscription.confirmed"][-1]
    assert (confirmed["method"], "page_sha256" in confirmed) == ("json", False)


def test_nothing_is_half_moved(service: Service) -> None:
    service.confirmed()
    link = asked(service).link
    before = service.status(), service.events()
    with service.database.transaction() as session:
        session.execute(text(REFUSE[session.connection().dialect.name]))
    assert service.post(link).status_code == 500
    assert (service.status(), service.events()) == before
    assert service.status(NEW) is None
    assert service.rows("SELECT id FROM address_changes WHERE confirmed_at IS NOT NULL") == []


def pending_and_moved(service: Service, moved: Clock) -> None:
    """What was pending left a stub of the old address."""
    service.confirmed()
    moved.shift(COOL_DOWN)
    service.subscribe(newsletters="events")
    service.deliver()
    gone(service)
    moved.shift(COOL_DOWN)


@pytest.mark.parametrize("who", ["address", "id"])
@pytest.mark.parametrize("limited", [None, ["weekly", "events"]])
def test_whoever_has_the_old_address_now_is_erased_alone(
    service: Service, moved: Clock, who: str, limited: list[str] | None
) -> None:
    pending_and_moved(service, moved)
    service.confirmed(ADA)
    erase(service, ADA if who == "address" else person(service, ADA), limited)
    assert service.status(ADA) is None
    assert (service.status(NEW) or {})["weekly"]["mailable"] is True
    assert service.rows("SELECT digest FROM stubs") == []
    assert_each_blank_event_is_named(service)


def test_of_whom_a_stub_is_about_the_old_address_everything_is_erased_and_nobody_else(
    service: Service, moved: Clock
) -> None:
    pending_and_moved(service, moved)
    service.confirmed(ADA)
    erase(service, person(service, NEW))
    assert service.status(NEW) is None
    assert (service.status(ADA) or {})["weekly"]["mailable"] is True
    assert service.rows(f"SELECT digest FROM mail_budgets WHERE digest = '{digests(NEW).budget}'") == []
    assert_each_blank_event_is_named(service)


def test_whoever_has_the_old_address_now_is_told_nothing_of_who_had_it(service: Service, moved: Clock) -> None:
    pending_and_moved(service, moved)
    service.confirmed(ADA)
    told = service.get(f"{fresh(service, ADA)}/data.json", headers=BROWSER)
    assert [each["address"] for each in told.get_json()["person"]] == [ADA]
    assert NEW not in told.text
    assert str(person(service, NEW)) not in told.text


def test_after_a_move_the_old_letters_lead_to_no_receipt(service: Service, moved: Clock) -> None:
    letter = service.confirmed()
    moved.shift(HALF_AN_HOUR)
    notice = gone(service)
    for _ in range(2):
        page = service.get(letter.link, headers=BROWSER)
        assert page.status_code == 200
        assert "/receipts/" not in page.text
        service.post(notice.link, headers=BROWSER)
