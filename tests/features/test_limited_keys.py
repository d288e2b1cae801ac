"""A key that is limited to newsletters: nothing that it is handed tells of, or reaches, any other."""

import csv
import io
import re
from dataclasses import replace
from datetime import timedelta
from email.message import EmailMessage
from typing import Any

import pytest
import time_machine
from werkzeug.test import TestResponse

from app import clock
from app.api_keys import Scope
from config import Settings
from tests.catalogues import CATALOGUE
from tests.commands import Jawel
from tests.correspondence import HOST
from tests.features.conftest import OpenService
from tests.service import ADA, BROWSER, Service

PERSON = f"/api/v1/subscribers/{ADA}"
PAGE = "/api/v1/newsletters/weekly/subscribers"
LEAVE_ALL = 'name="all"'
(OTHER,) = [each for each in CATALOGUE["newsletter"] if each["slug"] == "events"]


@pytest.fixture
def key(service: Service) -> dict[str, str]:
    """Of somebody who may know of the weekly letter, about Ada, who has events as well."""
    service.confirmed(newsletters=["weekly", "events"])
    service.work()
    return service.key(Scope.STATUS_READ, Scope.RECEIPTS_READ, newsletters=["weekly"])


def handed_out(service: Service, key: dict[str, str]) -> list[str]:
    """Every link by which the key's holder has a person leave."""
    (person,) = service.get(PERSON, headers=key).get_json()["subscriptions"]
    (entry,) = service.get(PAGE, headers=key).get_json()["results"]
    table = service.get(PAGE, headers={**key, "Accept": "text/csv"}).text
    (row,) = csv.DictReader(io.StringIO(table))
    receipt = service.get(f"/api/v1/subscriptions/{person['id']}/receipt", headers=key).get_json()
    links = [row["unsubscribe"], receipt["record"]["withdrawal_method"]["url"]]
    for subscription in (person, *entry["subscriptions"]):
        links.append(subscription["links"]["unsubscribe"])
        links += re.findall("<(https:[^>]+)>", subscription["headers"]["List-Unsubscribe"])
    return [link.removeprefix(HOST) for link in links]


def status(service: Service) -> tuple[str, str]:
    found = service.status()
    return found["weekly"]["status"], found["events"]["status"]


def test_it_is_handed_no_link_to_the_preferences(service: Service, key: dict[str, str]) -> None:
    person = service.get(PERSON, headers=key).get_json()
    page = service.get(PAGE, headers=key).get_json()
    assert person["subscriptions"][0]["links"]["preferences"] is None
    assert page["results"][0]["subscriptions"][0]["links"]["preferences"] is None
    receipt = service.get(f"/api/v1/subscriptions/{person['subscriptions'][0]['id']}/receipt", headers=key)
    assert receipt.get_json()["record"]["privacy_rights"]["url"] is None
    for text in (person, page, receipt.text):
        assert "/preferences/" not in str(text)


def test_every_link_to_leave_is_the_same_one(service: Service, key: dict[str, str]) -> None:
    links = handed_out(service, key)
    assert len(links) == 6
    assert len(set(links)) == 1
    whole = service.get(PERSON, headers=service.key()).get_json()["subscriptions"]
    assert links[0] not in str(whole)


@pytest.mark.parametrize(
    "body",
    [
        {"data": {"all": "1"}},
        {"data": {"List-Unsubscribe": "One-Click", "all": "1"}},
        {"json": {"all": True}},
        {"data": {"all": "1", "from": "page"}, "headers": BROWSER},
        {},
    ],
)
def test_whatever_is_posted_to_it_leaves_that_one_alone(
    service: Service, key: dict[str, str], body: dict[str, Any]
) -> None:
    answer = service.post(handed_out(service, key)[0], **body)
    assert answer.status_code == 200
    assert status(service) == ("unsubscribed", "confirmed")
    assert names_no_other(answer)


def names_no_other(answer: TestResponse) -> bool:
    return not [each for each in (LEAVE_ALL, OTHER["slug"], *OTHER["title"].values()) if each in answer.text]


def test_no_page_behind_it_offers_or_names_the_others(service: Service, key: dict[str, str]) -> None:
    link = handed_out(service, key)[0]
    before = service.get(link, headers=BROWSER)
    pressed = service.post(link, data={"from": "page"}, headers=BROWSER)
    after = service.get(link, headers=BROWSER)
    for shown in (before, pressed, after):
        assert shown.status_code == 200
        assert names_no_other(shown)


def test_the_page_that_answers_leads_back_to_that_one_alone(service: Service, key: dict[str, str]) -> None:
    link = handed_out(service, key)[0]
    pressed = service.post(link, data={"from": "page", "all": "1"}, headers=BROWSER)
    undo = re.findall(r'name="undo" value="(\w+)"', pressed.text)
    assert len(undo) == 1
    back = service.post(f"{link}/undo", data={"undo": undo}, headers=BROWSER)
    assert back.status_code == 200
    assert names_no_other(back)
    assert status(service) == ("confirmed", "confirmed")


def test_a_link_for_all_leads_on_as_it_did(service: Service, key: dict[str, str]) -> None:
    whole = service.get(PERSON, headers=service.key()).get_json()["subscriptions"]
    (weekly,) = [each["links"]["unsubscribe"].removeprefix(HOST) for each in whole if each["newsletter"] == "weekly"]
    assert LEAVE_ALL in service.get(weekly, headers=BROWSER).text
    service.post(weekly, data={"all": "1"})
    assert status(service) == ("unsubscribed", "unsubscribed")


def test_it_never_ends_and_works_behind_an_erasure(service: Service, key: dict[str, str]) -> None:
    link = handed_out(service, key)[0]
    eraser = service.key(Scope.SUBSCRIBERS_WRITE)
    assert service.app.test_client().delete(PERSON, headers=eraser).status_code == 204
    with time_machine.travel(clock.now() + timedelta(days=3650)):
        for answer in (service.get(link, headers=BROWSER), service.post(link)):
            assert answer.status_code == 200


def test_the_address_to_leave_by_mail_ends_that_one_alone(
    open_service: OpenService, settings: Settings, jawel: Jawel
) -> None:
    address = "feedback@example.org"
    service = open_service(feedback=replace(settings.feedback, address=address))
    service.confirmed(newsletters=["weekly", "events"])
    service.work()
    key = service.key(newsletters=["weekly"])
    (weekly,) = service.get(PERSON, headers=key).get_json()["subscriptions"]
    (to,) = re.findall("mailto:([^?]+)", weekly["headers"]["List-Unsubscribe"])
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = ADA, to, "unsubscribe"
    mail.set_content("Leave everything, all=1")
    assert jawel.fed(mail.as_bytes(), "feedback", "--to", to, FEEDBACK_ADDRESS=address).exit_code == 0
    assert status(service) == ("unsubscribed", "confirmed")


def test_that_somebody_was_erased_is_told_to_those_who_may_have_known_them(service: Service) -> None:
    service.confirmed(newsletters=["weekly", "events"])
    service.confirmed("grace@example.org", newsletters="events")
    eraser = service.key(Scope.SUBSCRIBERS_WRITE)
    ids = {}
    for email in (ADA, "grace@example.org"):
        person = service.get(f"/api/v1/subscribers/{email}", headers=service.key()).get_json()
        ids[email] = person["id"]
        assert service.app.test_client().delete(f"/api/v1/subscribers/{email}", headers=eraser).status_code == 204
    service.work()
    feed = service.get(
        "/api/v1/events?limit=1000", headers=service.key(Scope.EVENTS_READ, newsletters=["weekly"])
    ).get_json()["events"]
    assert [(each["type"], each["newsletter"], each["subscriber"]) for each in feed] == [
        ("subscriber.erased", None, ids[ADA])
    ]
