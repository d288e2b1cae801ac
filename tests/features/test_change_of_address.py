"""Moving to another address (GDPR Art. 16): confirmed in the new mailbox, told to the old one, whole or not at all."""

import json
from functools import partial

import pytest
from sqlalchemy import event, text

from app.api_keys import Scope
from tests.concurrency import at_once
from tests.log import audited
from tests.moving import NEW, ask, asked, findings, fresh, gone, main, person, wrong
from tests.receipts import receipt_text
from tests.refusing import REFUSE_EVIDENCE
from tests.service import ADA, BROWSER, Service
from tests.tombstones import assert_each_blank_event_is_named, erase

MASKED, MASKED_NEW = "a••@e••.org", "a••@l••.net"


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
    service.work()
    feed = service.get("/api/v1/events", headers=service.key(Scope.EVENTS_READ)).get_json()["events"]
    assert {each["subscriber"] for each in feed} == {str(who)}
    assert [each["type"] for each in feed] == [
        "subscription.requested",
        "letter.accepted",
        "subscription.confirmed",
        "letter.accepted",
        "subscription.requested",
        "subscription.confirmed",
        "subscriber.changed",
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
    assert events[-3]["event_state"] == "dpv:RenewedConsentGiven"
    assert ADA not in json.dumps(events)
    assert NEW not in json.dumps(events)
    assert audited(service) == []


def test_a_notice_to_a_former_address_offers_no_one_click(service: Service) -> None:
    """Its reader may be somebody else, and the subscriptions are at the new address."""
    service.confirmed()
    message = gone(service).delivered.message
    assert "List-Unsubscribe" not in message
    assert "List-Unsubscribe-Post" not in message
    assert message["List-Id"]


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
    assert service.work() == []
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
    assert service.work() == []
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
        service.work()
        assert service.rows("SELECT canonical FROM subscribers GROUP BY canonical HAVING count(*) > 1") == []
        for row in service.rows("SELECT former_commitment FROM subscriptions WHERE status = 'pending'"):
            assert row.former_commitment is None


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
        session.execute(text(REFUSE_EVIDENCE[session.connection().dialect.name]))
    assert service.post(link).status_code == 500
    assert (service.status(), service.events()) == before
    assert service.status(NEW) is None
    assert service.rows("SELECT id FROM address_changes WHERE confirmed_at IS NOT NULL") == []
