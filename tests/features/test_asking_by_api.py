"""`POST /api/v1/subscriptions`: a trusted back end asks on a person's behalf, and the person confirms all the same."""

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from werkzeug.test import TestResponse

from app.api_keys import Scope
from app.consent import timestamp
from config import ClientIp
from tests.features.conftest import OpenService
from tests.service import ADA, Service

ASKED = (datetime.now(UTC) - timedelta(days=6)).replace(microsecond=0)
ASKED_AT = ASKED.astimezone(timezone(timedelta(hours=1))).isoformat()
STATED: dict[str, Any] = {
    "source": "checkout",
    "ip": "192.0.2.77",
    "user_agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "form_url": "https://example.org/checkout?basket=ada#newsletter",
    "requested_at": ASKED_AT,
}


def ask(service: Service, *, key: dict[str, str] | None = None, **order: Any) -> TestResponse:
    whole = {"email": ADA, "newsletters": ["weekly"], **order}
    return service.post("/api/v1/subscriptions", headers=key or service.key(Scope.SUBSCRIBERS_WRITE), json=whole)


def evidence(service: Service) -> dict[str, Any]:
    (event,) = service.rows("SELECT evidence FROM consent_events")
    found: dict[str, Any] = json.loads(event.evidence)
    return found


def test_the_person_gets_the_letter_and_only_their_press_confirms(service: Service) -> None:
    assert ask(service, **STATED).status_code == 202
    assert service.status()["weekly"]["status"] == "pending"
    letter = service.letter()
    assert "https://example.org" in letter.text
    assert service.post(letter.link).status_code == 200
    assert service.status()["weekly"]["mailable"]
    assert sorted(service.events()) == ["letter.accepted", "subscription.confirmed", "subscription.requested"]


def test_the_answer_is_the_one_that_forms_get(service: Service) -> None:
    by_form = service.subscribe("grace@example.org")
    answer = ask(service)
    assert (answer.status_code, answer.text) == (by_form.status_code, by_form.text)


def test_evidence_says_what_was_stated_by_whom_and_no_more_than_is_needed(service: Service) -> None:
    ask(service, **STATED)
    kept = evidence(service)
    assert kept["actor"] == "unverified submitter"
    assert kept["method"] == "api:shop"
    assert kept["source"] == "checkout"
    assert kept["client"] == "192.0.2.0/24"
    assert kept["browser"] == "Firefox"
    assert kept["form_url"] == "https://example.org/checkout"
    assert kept["requested_at"] == timestamp(ASKED)
    assert ADA not in json.dumps(kept)


def test_what_is_not_stated_is_kept_as_not_known(service: Service) -> None:
    ask(service)
    kept = evidence(service)
    assert [kept[name] for name in ("source", "client", "browser", "form_url", "requested_at")] == [None] * 5


@pytest.mark.parametrize(("setting", "kept"), [(ClientIp.NONE, None), (ClientIp.FULL, "2001:db8:1:2::3")])
def test_of_the_address_as_much_is_kept_as_of_any_other(
    open_service: OpenService, setting: ClientIp, kept: str | None
) -> None:
    service = open_service(client_ip=setting)
    ask(service, ip="2001:db8:1:2::3")
    assert evidence(service)["client"] == kept


def test_the_receipt_says_how_it_was_asked(service: Service) -> None:
    ask(service, **STATED)
    service.post(service.letter().link)
    service.work()
    subscription = service.status()["weekly"]["id"]
    receipt = service.get(f"/api/v1/subscriptions/{subscription}/receipt", headers=service.key(Scope.RECEIPTS_READ))
    assert receipt.get_json()["record"]["collection_method"] == "api:shop, then double opt-in by e-mail"


def test_asked_twice_there_is_one_letter(service: Service) -> None:
    assert [ask(service).status_code for _ in range(2)] == [202, 202]
    assert len(service.deliver()) == 1


def test_the_letter_is_in_the_language_that_is_named(service: Service) -> None:
    ask(service, language="nl-BE")
    assert service.letter().delivered.message["Subject"].startswith("Bevestig")


@pytest.mark.parametrize("skip", [{"status": "confirmed"}, {"confirmed": True}, {"skip_confirmation": True}])
def test_nothing_skips_the_confirmation(service: Service, skip: dict[str, Any]) -> None:
    answer = ask(service, **skip)
    assert answer.status_code == 422
    assert list(answer.get_json()["errors"]) == list(skip)
    assert service.status() is None


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("email", "ada@"),
        ("email", f"{'a' * 65}@example.org"),
        ("email", "ada@example.org\r\nBcc: grace@example.org"),
        ("email", None),
        ("email", 7),
        ("newsletters", "nowhere"),
        ("newsletters", []),
        ("newsletters", [7]),
        ("language", "in English"),
        ("source", ""),
        ("source", "a\0b"),
        ("source", "a shop\nBuy now"),
        ("source", "s" * 201),
        ("ip", "192.0.2.300"),
        ("user_agent", "\ud800"),
        ("form_url", "javascript:alert(1)"),
        ("form_url", "https://example.org:99999/"),
        ("requested_at", "yesterday"),
        pytest.param("requested_at", (ASKED - timedelta(days=25)).isoformat(), id="requested_at-too-long-ago"),
        ("requested_at", "2026-11-24T09:30:00"),
        ("requested_at", "0001-01-01T00:00:00+14:00"),
        ("requested_at", "9999-12-31T23:59:59-12:00"),
        ("requested_at", "2099-01-01T00:00:00Z"),
    ],
)
def test_a_mistake_is_named_and_nothing_is_kept(service: Service, field: str, value: Any) -> None:
    answer = ask(service, **{field: value})
    assert answer.status_code == 422
    assert [name.partition(".")[0] for name in answer.get_json()["errors"]] == [field]
    assert ADA not in answer.text
    assert service.events() == []
    assert service.counts()["subscribers"] == 0


def test_a_limited_key_asks_for_its_own_newsletters_alone(service: Service) -> None:
    key = service.key(Scope.SUBSCRIBERS_WRITE, newsletters=["events"])
    assert ask(service, key=key).status_code == 422
    assert ask(service, key=key, newsletters="events").status_code == 202
    assert list(service.status() or {}) == ["events"]


def test_a_key_that_sees_one_newsletter_need_not_name_it(service: Service) -> None:
    key = service.key(Scope.SUBSCRIBERS_WRITE, newsletters=["events"])
    assert service.post("/api/v1/subscriptions", headers=key, json={"email": ADA}).status_code == 202
    assert list(service.status() or {}) == ["events"]
    both = service.key(Scope.SUBSCRIBERS_WRITE)
    answer = service.post("/api/v1/subscriptions", headers=both, json={"email": ADA})
    assert answer.get_json()["errors"] == {"newsletters": ["Say which newsletter."]}


def test_who_may_only_read_asks_for_nobody(service: Service) -> None:
    assert ask(service, key=service.key(Scope.STATUS_READ)).status_code == 403
    assert service.post("/api/v1/subscriptions", json={"email": ADA}).status_code == 401
    assert service.status() is None


def test_all_that_is_wrong_is_named_at_once(service: Service) -> None:
    errors = ask(service, email="ada@", requested_at="yesterday", language="in English").get_json()["errors"]
    assert errors == {
        "email": ["This is not an e-mail address that mail can be sent to."],
        "requested_at": ["Send an instant with its offset from UTC, such as 2026-11-24T09:30:00+01:00."],
        "language": ["Send the tag of a language, such as nl or nl-BE."],
    }
