"""Every right of the GDPR that a person has towards the service, from the link in the mail to the database."""

import hashlib
import json
import re
from datetime import timedelta
from typing import Any
from uuid import UUID

import time_machine
from sqlalchemy import select
from werkzeug.test import TestResponse

from app import consent
from app.api_keys import Scope
from app.database import Base
from app.newsletters.definitions import LANGUAGES
from app.privacy.access import PARTS, WORKINGS
from tests.catalogues import CATALOGUE
from tests.features.conftest import OpenService
from tests.preferences import download, fresh, send
from tests.service import ADA, BOTH, BROWSER, COOL_DOWN, Service
from tests.tombstones import tombstones

PERSONAL = {"subscriber_id", "subscription_id", "digest"}
NOT_OF_PEOPLE = {
    "api_keys": "its digest is of the key of another service",
    "kept_answers": "its digest is of such a key and an Idempotency-Key",
}


def press(service: Service, path: str) -> TestResponse:
    return service.post(path, headers=BROWSER)


def feed(service: Service) -> list[dict[str, Any]]:
    found = service.get("/api/v1/events?limit=1000", headers=service.key(Scope.EVENTS_READ)).get_json()
    return list(found["events"])


def test_article_7_3_withdrawing_is_as_easy_as_consenting(service: Service) -> None:
    letter = service.confirmed()
    link = fresh(service)
    assert letter.link != link
    send(service, link, leave="weekly")
    assert service.status()["weekly"]["status"] == "unsubscribed"
    assert service.events()[-1] == "subscription.unsubscribed"


def test_article_15_1_a_person_is_shown_everything_there_is_and_what_for(service: Service) -> None:
    service.confirmed(newsletters=BOTH, language="en")
    link = fresh(service)
    page = service.get(link, headers=BROWSER).text
    (data,) = re.findall(r'href="(/preferences/\w+/data)"', page)
    shown = service.get(data, headers=BROWSER)
    assert shown.status_code == 200
    for told in (
        ADA,
        "Yes, send me the weekly letter by e-mail.",
        "One mail a week with news about our books.",
        "Who is responsible",
        "Voorbeeld BV",
        "Gegevensbeschermingsautoriteit",
        "Who gets to see it",
        "Where it comes from",
        "None that has legal effects for you",
        "for 3 years after",
        "Sealed in the log at position 0.",
        "with a link to your subscriptions",
    ):
        assert told in shown.text, told
    for row in service.rows("SELECT evidence_hash, salt FROM consent_events"):
        assert row.evidence_hash in shown.text
        assert row.salt in shown.text


def test_article_15_names_recipients_transfers_and_officer_where_the_controller_does(open_service: OpenService) -> None:
    more: dict[str, Any] = {
        "dpo": "dpo@example.org",
        "recipients": {language: ["Postbode BV, Gent"] for language in LANGUAGES},
        "transfers": dict.fromkeys(LANGUAGES, "Switzerland, under the adequacy decision of 2000."),
    }
    service = open_service({**CATALOGUE, "controller": {**CATALOGUE["controller"], **more}})
    service.confirmed(language="en")
    link = fresh(service)
    about = download(service, link)["about"]
    assert about["controller"]["data_protection_officer"] == "dpo@example.org"
    assert about["recipients"] == ["Postbode BV, Gent"]
    assert about["transfers_to_third_countries"] == [more["transfers"]["en"]]
    page = service.get(f"{link}/data", headers=BROWSER).text
    assert "Postbode BV, Gent" in page
    assert "Switzerland, under the adequacy decision of 2000." in page


def test_article_15_1_a_to_h_and_2_are_answered_one_by_one(service: Service) -> None:
    service.subscribe(language="en")
    service.post(service.letter().link)
    about = download(service, fresh(service))["about"]
    assert about["controller"]["email"] == "privacy@example.org"
    (purpose,) = about["purposes"]
    assert purpose["purpose"] == "One mail a week with news about our books."
    assert purpose["legal_basis"] == "consent, GDPR Art. 6(1)(a)"
    assert "e-mail address" in about["categories"]
    assert about["recipients"]
    assert about["transfers_to_third_countries"] == []
    assert about["controller"]["data_protection_officer"] is None
    assert about["retention"]["weekly"]["evidence_after_the_end"] == "P1095D"
    assert {"access", "rectification", "erasure", "restriction", "portability", "objection"} <= about["rights"].keys()
    assert about["complaint_to"]["authority"] == "Gegevensbeschermingsautoriteit"
    assert about["source"]["forms"] == []
    assert about["automated_decisions"] is False


def test_article_15_1_g_the_form_that_the_data_came_from_is_named(service: Service) -> None:
    referer = {"Origin": "https://example.org", "Referer": "https://example.org/books?utm=1"}
    service.post("/subscribe", data={"email": ADA, "newsletters": "weekly", "consent": "yes"}, headers=referer)
    service.post(service.letter().link)
    link = fresh(service)
    assert download(service, link)["about"]["source"]["forms"] == ["https://example.org/books"]
    assert "https://example.org/books" in service.get(f"{link}/data", headers=BROWSER).text


def test_article_15_3_the_copy_is_every_row_and_every_column(service: Service) -> None:
    with time_machine.travel("2026-11-23 20:00:00+00:00", tick=True) as time:
        service.subscribe(newsletters="events", language="en")
        service.work()
        time.shift(timedelta(hours=97))
        service.work()
        assert service.status() is None
        service.confirmed(language="en")
        time.shift(COOL_DOWN)
        service.subscribe(newsletters="events", language="en")
        service.post(f"{service.letter().link}/decline")
        service.confirmed("grace@example.org")
        link = fresh(service)
        told = download(service, link)
    assert told["format"] == "jawel-personal-data/1"
    (ada,) = service.rows(f"SELECT id FROM subscribers WHERE address = '{ADA}'")
    ids = {stub["subscriber_id"] for stub in told["lapsed_requests"]}
    assert len(ids) == 2
    assert str(UUID(str(ada.id))) in ids
    with service.database.read_only() as connection:
        for name, part in PARTS.items():
            table = part.table
            rows = connection.execute(select(table)).all()
            theirs = [row for row in rows if str(getattr(row, "subscriber_id", row[0])) in ids]
            if table.name not in ("suppressions", "mail_budgets"):
                assert len(told[name]) == len(theirs), name
            for row in told[name]:
                extra = {"details", "position"} if name == "consent_events" else set()
                assert set(row) == set(part.columns) | extra
    happened = ["subscription.requested", "letter.accepted", "subscription.expired"]
    assert [each["type"] for each in told["consent_events"]][:3] == happened
    assert [row["reason"] for row in told["suppressions"]] == ["declined"]
    # What is counted, and that a link was asked for.
    assert len(told["mail_budget"]) == 2
    assert "grace@example.org" not in json.dumps(told)


def test_article_15_each_table_that_speaks_of_people_is_in_the_copy() -> None:
    speaking = {table.name for table in Base.metadata.tables.values() if PERSONAL & set(table.columns.keys())}
    told = {part.table.name for part in PARTS.values()}
    assert speaking - NOT_OF_PEOPLE.keys() <= told
    for table in told:
        columns = [set(part.columns) for part in PARTS.values() if part.table.name == table]
        assert set().union(*columns) | WORKINGS >= set(Base.metadata.tables[table].columns.keys()), table
    left_out = {column.name for part in PARTS.values() for column in part.table.columns} & WORKINGS
    assert left_out == WORKINGS


def test_article_16_the_language_is_put_right_by_the_person(service: Service) -> None:
    service.confirmed(language="en")
    send(service, fresh(service), language="nl")
    assert [row.language for row in service.rows("SELECT language FROM subscribers")] == ["nl"]
    answer = service.get(f"/api/v1/subscribers/{ADA}", headers=service.key())
    assert answer.get_json()["language"] == "nl"


def test_article_17_erasure_takes_address_letters_and_evidence(service: Service) -> None:
    service.confirmed(newsletters=BOTH)
    link = fresh(service)
    assert press(service, f"{link}/erase").status_code == 200
    counts = service.counts()
    assert {name: counts[name] for name in ("subscribers", "subscriptions", "letters", "stubs", "mail_budgets")} == {
        "subscribers": 0,
        "subscriptions": 0,
        "letters": 0,
        "stubs": 0,
        "mail_budgets": 0,
    }
    left = service.rows("SELECT evidence, salt FROM consent_events WHERE type <> 'subscriber.erased'")
    assert left
    assert all(row.evidence is None and row.salt is None for row in left)


def test_article_18_leaving_restricts_at_once_and_what_shows_the_consent_is_kept(service: Service) -> None:
    service.confirmed(language="en")
    assert service.status()["weekly"]["mailable"] is True
    link = fresh(service)
    page = send(service, link, leave="weekly").text
    assert "It took effect at once." in page
    assert service.status()["weekly"]["mailable"] is False
    assert all(row.evidence for row in service.rows("SELECT evidence FROM consent_events"))


def test_article_19_recipients_learn_of_withdrawal_and_erasure_from_the_feed(service: Service) -> None:
    service.confirmed()
    person = service.get(f"/api/v1/subscribers/{ADA}", headers=service.key()).get_json()["id"]
    link = fresh(service)
    send(service, link, leave="weekly")
    press(service, f"{link}/erase")
    service.work()
    told = feed(service)
    assert [each["type"] for each in told][-2:] == ["subscription.unsubscribed", "subscriber.erased"]
    assert [each["subscriber"] for each in told] == [None] * (len(told) - 1) + [person], "the rest is erased"


def test_article_20_another_program_can_read_the_file_and_check_it(service: Service) -> None:
    with time_machine.travel("2026-11-23 20:00:00+00:00", tick=True) as time:
        service.confirmed(newsletters=BOTH, language="en")
        told = download(service, fresh(service))
        words = {each["sha256"]: each["text"] for each in told["wordings"]}
        assert all(hashlib.sha256(text.encode()).hexdigest() == digest for digest, text in words.items())
        for event in told["consent_events"]:
            digest = consent.evidence_hash(event["evidence"].encode(), bytes.fromhex(event["salt"]))
            assert digest == event["evidence_hash"]
            assert json.loads(event["evidence"]) == event["details"]
            assert event["position"] is not None
            assert set(event["details"].get("wordings", {}).values()) <= words.keys()
        asked = [each["newsletter"] for each in told["subscriptions"] if each["status"] == "confirmed"]
        press(service, f"{fresh_again(service, time)}/erase")
        person = told["person"][0]
        service.confirmed(person["address"], newsletters=asked, language=person["language"])
        time.shift(COOL_DOWN)
        again = download(service, fresh(service))
        assert [each["newsletter"] for each in again["subscriptions"]] == asked
        assert again["person"][0]["address"] == ADA
        assert again["person"][0]["language"] == "en"


def fresh_again(service: Service, time: Any) -> str:
    time.shift(COOL_DOWN)
    return fresh(service)


def test_article_21_objecting_takes_one_press_and_no_reason_from_any_link(service: Service) -> None:
    service.confirmed(newsletters=BOTH)
    link = service.status()["weekly"]["links"]["preferences"].removeprefix("https://subscribe.example.org")
    assert send(service, link, all="1").status_code == 200
    assert {each["mailable"] for each in (service.status() or {}).values()} == {False}
    assert {each["reason"] for each in (service.status() or {}).values()} == {"preferences"}


def test_article_21_3_an_objection_outlives_erasure(service: Service) -> None:
    with time_machine.travel("2026-11-23 20:00:00+00:00", tick=True) as time:
        service.confirmed()
        time.shift(COOL_DOWN)
        service.subscribe(newsletters="events")
        service.post(f"{service.letter().link}/decline")
        press(service, f"{fresh(service)}/erase")
        time.shift(COOL_DOWN)
        service.subscribe(newsletters="events")
        assert service.work() == []
        assert tombstones(service)
