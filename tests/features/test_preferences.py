"""The preference centre behind a fresh link: join, leave, speak another language, be erased, and all of it twice."""

import json
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest
import time_machine
from sqlalchemy import text
from werkzeug.test import TestResponse

from app.addresses import EmailAddress
from app.resources import resources_of
from app.subscriptions import requests
from app.subscriptions.decision import HoneypotResult, Signup
from tests.catalogues import titled
from tests.concurrency import at_once, await_lock
from tests.features.conftest import OpenService
from tests.preferences import JOIN, forwarded, fresh, send
from tests.service import ADA, BOTH, BROWSER, COOL_DOWN, GRACE, Service
from tests.suppressions import digest
from tests.tombstones import assert_each_blank_event_is_named, tombstones


def evidence(service: Service, type: str) -> list[dict[str, Any]]:
    found = service.rows(f"SELECT evidence FROM consent_events WHERE type = '{type}' ORDER BY occurred_at")
    return [json.loads(row.evidence) for row in found]


def test_the_page_says_what_was_agreed_and_since_when_and_what_else_there_is(service: Service) -> None:
    with time_machine.travel("2026-11-23 20:00:00+00:00", tick=True) as time:
        service.confirmed(language="en")
        time.shift(COOL_DOWN)
        link = fresh(service)
        page = service.get(link, headers=BROWSER).text
        assert ADA in page
        assert "This page works until 23 November 2026, 21:40 CET." in page
        assert "Subscribed since 23 November 2026, 21:00 CET." in page
        assert '<q lang="en">Yes, send me the weekly letter by e-mail.</q>' in page
        assert re.findall(r'name="leave" value="(\w+)"', page) == ["weekly"]
        assert re.findall(r'name="join" value="(\w+)"', page) == ["events"]
        assert "checked" not in page
        assert "Yes, send me the events by e-mail." in page
        assert re.search(r'<option value="en" lang="en" selected>English</option>', page)


def test_what_was_agreed_is_in_the_words_of_then(service: Service, open_service: OpenService) -> None:
    service.confirmed(language="en")
    later = open_service(titled("Another title"))
    page = later.get(fresh(later), headers=BROWSER).text
    assert "Another title" in page
    assert '<q lang="en">Yes, send me the weekly letter by e-mail.</q>' in page


def test_joining_is_a_double_opt_in_of_its_own(service: Service) -> None:
    with time_machine.travel("2026-11-23 20:00:00+00:00", tick=True) as time:
        service.confirmed(language="en")
        link = fresh(service)
        time.shift(COOL_DOWN)
        page = send(service, link, **JOIN)
        assert page.status_code == 200
        assert "Look in your inbox: a mail about Events asks you to confirm." in page.text
        assert "Not confirmed yet" in page.text
        assert not service.status()["events"]["mailable"]
        letter = service.letter()
        assert letter.delivered.recipient == ADA
        assert letter.subject == "Please confirm: Events"
        assert service.post(letter.link).status_code == 200
        assert service.status()["events"]["mailable"]
        (asked,) = [each for each in evidence(service, "subscription.requested") if each["newsletter"] == "events"]
        assert asked["method"] == "preferences"
        assert asked["control"] == {"type": "checkbox", "initial_state": "unchecked"}
        assert asked["form_url"] == "https://subscribe.example.org/preferences"
        assert link.rpartition("/")[2] not in str(asked)


def test_joining_again_asks_no_second_time(service: Service) -> None:
    with time_machine.travel("2026-11-23 20:00:00+00:00", tick=True) as time:
        service.confirmed(language="en")
        link = fresh(service)
        time.shift(COOL_DOWN)
        first = send(service, link, **JOIN)
        assert send(service, link, **JOIN).data == first.data
        assert len(evidence(service, "subscription.requested")) == 2
        service.post(service.letter().link)
        before = service.counts()
        assert send(service, link, **JOIN).status_code == 200
        assert service.counts() == before
        assert service.work() == []


@pytest.mark.parametrize("consent", [{}, {"consent": ""}, {"consent": "no"}])
def test_joining_takes_the_ticked_box(service: Service, consent: dict[str, str]) -> None:
    service.confirmed(language="en")
    link = fresh(service)
    before = service.counts()
    page = send(service, link, join="events", **consent)
    assert page.status_code == 422
    assert '<a href="#consent-events">Tick the box to agree.</a>' in page.text
    assert re.search(r'id="consent-events"[^>]* aria-invalid="true"', page.text)
    answer = service.post(link, data={"join": "events", **consent}, headers={"Accept": "application/json"})
    assert (answer.status_code, list(answer.get_json()["errors"])) == (422, ["consent"])
    assert service.counts() == before


@pytest.mark.parametrize(
    "wish", [{"join": "nothing", "consent": "yes"}, {"join": "\0"}, {"language": "xx"}, {"language": ""}]
)
def test_a_bad_wish_is_named_and_changes_nothing(service: Service, wish: dict[str, str]) -> None:
    service.confirmed(language="en")
    link = fresh(service)
    before = service.counts()
    assert send(service, link, **wish).status_code == 422
    assert service.counts() == before
    assert service.rows("SELECT language FROM subscribers")[0].language == "en"


def test_the_page_does_not_promise_a_mail_that_may_not_go(service: Service) -> None:
    with time_machine.travel("2026-11-23 20:00:00+00:00", tick=True) as time:
        service.confirmed(language="en")
        time.shift(COOL_DOWN)
        service.subscribe(newsletters="events", language="en")
        service.post(f"{service.letter().link}/decline")
        page = send(service, fresh(service), **JOIN).text
        assert "No confirmation mail can go to your address right now." in page
        assert "Look in your inbox" not in page
        assert service.work() == []


def test_leaving_one_and_leaving_all_take_effect_at_once(service: Service) -> None:
    service.confirmed(newsletters=BOTH, language="en")
    link = fresh(service)
    page = send(service, link, leave="events").text
    assert "Done: you have left Events. It took effect at once." in page
    assert (service.status()["events"]["mailable"], service.status()["weekly"]["mailable"]) == (False, True)
    assert send(service, link, all="1").data == send(service, link, all="1").data
    assert {each["mailable"] for each in (service.status() or {}).values()} == {False}
    assert len(evidence(service, "subscription.unsubscribed")) == 2
    assert {each["method"] for each in evidence(service, "subscription.unsubscribed")} == {"preferences"}


def test_the_language_holds_for_pages_and_letters_from_then_on_and_changes_no_consent(service: Service) -> None:
    service.confirmed(language="en")
    link = fresh(service)
    before = service.status()
    assert '<html lang="nl"' in send(service, link, language="nl").text
    assert '<html lang="nl"' in service.get(link, headers=BROWSER).text
    assert service.status() == before
    assert service.events()[-1] == "subscriber.changed"
    send(service, link, leave="weekly")
    assert service.letter().subject == "Je bent uitgeschreven: Weekbrief"


def test_a_pending_request_can_be_withdrawn_before_it_is_confirmed(service: Service) -> None:
    service.subscribe(language="en")
    confirmation = service.letter().link
    link = fresh(service)
    assert "Not confirmed yet" in service.get(link, headers=BROWSER).text
    send(service, link, leave="weekly")
    assert service.post(confirmation).status_code == 410


def test_erasing_takes_one_press_after_a_page_that_says_what_goes(service: Service) -> None:
    service.confirmed(newsletters=BOTH, language="en")
    service.confirmed(GRACE)
    link = fresh(service)
    asked = service.get(f"{link}/erase", headers=BROWSER).text
    assert "What goes" in asked
    assert "What stays" in asked
    (action,) = re.findall(r'action="([^"]+)"', asked)
    done = service.post(action, headers=BROWSER)
    assert done.status_code == 200
    assert "Done: your data is erased" in done.text
    assert service.status() is None
    assert service.status(GRACE)
    (tombstone,) = tombstones(service)
    assert {"actor": "mailbox holder", "method": "preferences", "reason": "request"}.items() <= tombstone.items()
    assert_each_blank_event_is_named(service)
    before = service.counts()
    assert service.post(action, headers=BROWSER).status_code == 200
    assert service.counts() == before
    assert service.work() == []


def test_erasures_at_once_leave_one_tombstone(service: Service) -> None:
    service.confirmed(newsletters=BOTH)
    link = fresh(service)
    answers = at_once([lambda: service.post(f"{link}/erase", headers=BROWSER)] * 6)
    assert {answer.status_code for answer in answers} == {200}
    assert len(tombstones(service)) == 1
    assert service.status() is None


@pytest.mark.parametrize("round", range(4))
def test_joining_while_being_erased_brings_nobody_back(service: Service, round: int) -> None:
    with time_machine.travel("2026-11-23 20:00:00+00:00", tick=True) as time:
        service.confirmed()
        link = fresh(service)
        time.shift(COOL_DOWN)
        acts: list[Callable[[], TestResponse]] = [
            lambda: send(service, link, **JOIN),
            lambda: service.post(f"{link}/erase", headers=BROWSER),
            lambda: send(service, link, **JOIN),
        ]
        answers = at_once(acts)
        assert {answer.status_code for answer in answers} == {200}
        assert service.status() is None
        assert service.work() == []
        assert (
            service.rows("SELECT * FROM consent_events WHERE evidence IS NOT NULL AND type <> 'subscriber.erased'")
            == []
        )


def test_asking_for_a_link_while_being_erased_brings_nobody_back(service: Service) -> None:
    service.confirmed()
    link = fresh(service)
    weak = forwarded(service)
    with service.database.transaction() as session:
        session.connection().exec_driver_sql(
            f"UPDATE mail_budgets SET linked_at = NULL WHERE digest = '{digest(service)}'"
        )
    acts: list[Callable[[], TestResponse]] = [
        lambda: service.post("/preferences", json={"email": ADA}),
        lambda: service.post(f"{link}/erase", headers=BROWSER),
        lambda: service.post(f"{weak}/link", headers=BROWSER),
    ]
    assert {answer.status_code for answer in at_once(acts)} <= {200, 202}
    assert service.status() is None
    assert service.work() == []
    assert service.rows("SELECT id FROM letters") == []


@pytest.mark.parametrize("engine", ["postgresql"])
def test_a_link_asked_for_in_the_middle_of_an_erasure_waits_and_finds_nobody(service: Service) -> None:
    service.confirmed()
    with ThreadPoolExecutor(1) as pool, service.database.transaction() as session:
        session.execute(text("DELETE FROM subscribers"))
        asking = pool.submit(service.post, "/preferences", json={"email": ADA})
        await_lock(service)
        session.commit()
        assert asking.result().status_code == 202
    assert service.rows("SELECT id FROM letters") == []


def test_a_request_through_the_link_of_somebody_who_is_gone_does_nothing(service: Service) -> None:
    """As it stands when the person is erased right after the page has looked them up."""
    newsletter = resources_of(service.app).catalogue.get().open["events"]
    asked = Signup(
        address=EmailAddress.parse(ADA),
        newsletters=(newsletter,),
        language="en",
        asked_from=None,
        sincerity=HoneypotResult.HUMAN,
        evidence={"method": "preferences"},
        only_for=uuid4(),
    )
    for _ in range(2):
        with service.database.single_statement() as connection:
            key = resources_of(service.app).settings.suppression_key
            requests.request(connection, asked, EmailAddress.parse(ADA).digests(key))
        assert service.rows("SELECT id FROM consent_events WHERE newsletter = 'events'") == []
        service.confirmed()
