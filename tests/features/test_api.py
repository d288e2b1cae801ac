"""`/api/v1`: what other services are told, by which key, in which shape."""

import csv
import io
import re
import time

import pytest
from sqlalchemy import update
from werkzeug.test import TestResponse

from app import api_keys, clock
from app.api_keys import ApiKey, Scope
from app.outbox import Letter, State
from tests.api_paths import LOOKUP, PAGE, PERSON, UNSUBSCRIBE
from tests.service import ADA, Service


@pytest.mark.parametrize(
    "authorization",
    [None, "", "Bearer", "Bearer nonsense", "Basic YTpi", "jawel_abc", "Bearer \xff", "Bearer a b", "Bearer a=b"],
)
def test_without_a_good_key_nothing_is_told(service: Service, authorization: str | None) -> None:
    service.confirmed()
    headers = {} if authorization is None else {"Authorization": authorization}
    is_bearer = authorization is not None and re.fullmatch("Bearer .+", authorization)
    challenge = 'Bearer realm="jawel"' + (', error="invalid_token"' if is_bearer else "")
    for answer in (
        service.get(PERSON, headers=headers),
        service.post(LOOKUP, headers=headers, json={}),
        service.get("/metrics", headers=headers),
    ):
        assert (answer.status_code, answer.content_type) == (401, "application/problem+json")
        assert answer.headers["WWW-Authenticate"] == challenge
        assert ADA not in answer.text


def test_a_revoked_key_is_no_key_within_a_second(service: Service) -> None:
    key = service.key()
    assert service.get(PERSON, headers=key).status_code == 404
    with service.database.transaction() as session:
        session.execute(update(ApiKey).values(revoked_at=clock.now()))
    time.sleep(api_keys.TRUSTED_FOR_SECONDS)
    assert service.get(PERSON, headers=key).status_code == 401


def test_only_the_digest_of_a_key_is_kept(service: Service) -> None:
    key = service.key()["Authorization"].removeprefix("Bearer ")
    (row,) = service.rows("SELECT * FROM api_keys")
    assert row.digest == api_keys.digest(key)
    assert key not in str(row)


@pytest.mark.parametrize(
    ("scope", "readable", "writable"),
    [
        (Scope.STATUS_READ, True, False),
        (Scope.SUBSCRIBERS_WRITE, False, True),
        (Scope.EVENTS_READ, False, False),
        (Scope.METRICS_READ, False, False),
        (Scope.ADMIN, True, True),
    ],
)
def test_a_key_does_what_its_scope_says(service: Service, scope: Scope, readable: bool, writable: bool) -> None:
    service.confirmed()
    key = service.key(scope)
    for answer in (
        service.get(PERSON, headers=key),
        service.get(PAGE, headers=key),
        service.post(LOOKUP, headers=key, json={"newsletter": "weekly", "emails": []}),
    ):
        assert answer.status_code == (200 if readable else 403)
    left = service.post(UNSUBSCRIBE, headers=key, json={"email": ADA, "all": True})
    assert left.status_code == (200 if writable else 403)
    if not writable:
        needed = 'error="insufficient_scope", scope="subscribers:write"'
        assert left.headers["WWW-Authenticate"] == f'Bearer realm="jawel", {needed}'
    assert service.status()["weekly"]["status"] == ("unsubscribed" if writable else "confirmed")


def test_a_subscriber_in_exactly_this_shape(service: Service) -> None:
    service.confirmed()
    person = service.get(PERSON, headers=service.key()).get_json()
    assert list(person) == ["id", "email", "language", "subscriptions"]
    assert (person["email"], person["language"]) == (ADA, "nl")
    (subscription,) = person["subscriptions"]
    unsubscribe = subscription["links"]["unsubscribe"]
    assert subscription == {
        "id": subscription["id"],
        "newsletter": "weekly",
        "status": "confirmed",
        "mailable": True,
        "since": subscription["since"],
        "reason": None,
        "confirmation_mail": {"state": "sent", "at": subscription["confirmation_mail"]["at"]},
        "links": {"unsubscribe": unsubscribe, "preferences": subscription["links"]["preferences"]},
        "headers": {
            "List-Unsubscribe": f"<{unsubscribe}>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
            "List-Id": subscription["headers"]["List-Id"],
        },
    }
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", subscription["since"])
    assert re.fullmatch(r".*<weekly\.\S+>", subscription["headers"]["List-Id"])
    by_id = service.get(f"/api/v1/subscribers/{person['id']}", headers=service.key())
    assert by_id.get_json() == person


def test_an_address_with_a_slash_is_an_address(service: Service) -> None:
    service.confirmed("ada/news@example.org")
    answer = service.get("/api/v1/subscribers/ada%2Fnews@example.org", headers=service.key())
    assert answer.get_json()["email"] == "ada/news@example.org"


def test_where_no_confirmation_mail_is_owed_its_state_is_null(service: Service) -> None:
    service.subscribe()
    with service.database.transaction() as session:
        session.execute(update(Letter).values(state=State.DROPPED))
    status = service.status()
    assert status is not None
    assert status["weekly"]["confirmation_mail"] == {"state": None, "at": None}


@pytest.mark.parametrize(
    "who", ["nobody@example.org", "00000000-0000-0000-0000-000000000000", "nobody", "%00@example.org", "@", "%F0%9F"]
)
def test_whoever_is_unknown_is_not_found(service: Service, who: str) -> None:
    answer = service.get(f"/api/v1/subscribers/{who}", headers=service.key())
    assert (answer.status_code, answer.mimetype) == (404, "application/problem+json")


def test_an_answer_that_has_not_changed_is_not_sent_again(service: Service) -> None:
    letter = service.confirmed()
    key = service.key()
    etag = service.get(PERSON, headers=key).headers["ETag"]
    same = service.get(PERSON, headers={**key, "If-None-Match": etag})
    assert (same.status_code, same.data) == (304, b"")
    assert same.headers["Cache-Control"] == "no-store"
    service.post(letter.one_click)
    changed = service.get(PERSON, headers={**key, "If-None-Match": etag})
    assert (changed.status_code, changed.get_json()["subscriptions"][0]["status"]) == (200, "unsubscribed")
    assert changed.headers["ETag"] != etag


def test_a_lookup_answers_in_the_order_asked(service: Service) -> None:
    service.confirmed()
    service.subscribe("grace@bücher.example")
    emails = ["unknown@example.org", "GRACE@BÜCHER.example", "not an address", "ADA@Example.org", ADA, "é", ""]
    answer = service.post(LOOKUP, headers=service.key(), json={"newsletter": "weekly", "emails": emails})
    assert answer.get_json() == {
        "results": [
            {"email": emails[0], "status": "unknown", "mailable": False},
            {"email": emails[1], "status": "pending", "mailable": False},
            {"email": emails[2], "status": "unknown", "mailable": False},
            {"email": emails[3], "status": "confirmed", "mailable": True},
            {"email": emails[4], "status": "confirmed", "mailable": True},
            {"email": emails[5], "status": "unknown", "mailable": False},
            {"email": emails[6], "status": "unknown", "mailable": False},
        ]
    }


def test_a_lookup_takes_a_thousand_addresses(service: Service) -> None:
    service.confirmed()
    emails = [f"{'a' * 60}{number}@{'b' * 60}.example.org" for number in range(999)] + [ADA]
    answer = service.post(LOOKUP, headers=service.key(), json={"newsletter": "weekly", "emails": emails})
    results = answer.get_json()["results"]
    assert [each["email"] for each in results] == emails
    assert [each["mailable"] for each in results] == [False] * 999 + [True]


def following(answer: TestResponse) -> str:
    match = re.fullmatch(r'<https://subscribe\.example\.org(/\S+)>; rel="next"', answer.headers["Link"])
    assert match
    return match[1]


def test_pages_bring_everybody_once(service: Service) -> None:
    people = [f"reader{number}@example.org" for number in range(5)]
    for each in people:
        service.subscribe(each)
    service.subscribe(newsletters="events")
    key = service.key()
    path, found, pages = f"{PAGE}?limit=2", [], 0
    while path:
        answer = service.get(path, headers=key)
        found += [each["email"] for each in answer.get_json()["results"]]
        pages += 1
        cursor = answer.get_json()["next"]
        assert (cursor is None) == ("Link" not in answer.headers)
        path = following(answer) if cursor else ""
        assert cursor is None or f"cursor={cursor}" in path
    assert (sorted(found), pages) == (people, 3)


def test_a_page_may_be_of_one_status(service: Service) -> None:
    service.subscribe("grace@example.org")
    service.work()
    service.confirmed()
    key = service.key()
    (entry,) = service.get(f"{PAGE}?status=confirmed", headers=key).get_json()["results"]
    assert (entry["email"], entry["status"], entry["mailable"]) == (ADA, "confirmed", True)
    (entry,) = service.get(f"{PAGE}?status=pending", headers=key).get_json()["results"]
    assert (entry["email"], entry["mailable"]) == ("grace@example.org", False)
    assert service.get("/api/v1/newsletters/unknown/subscribers", headers=key).status_code == 404


def test_a_spreadsheet_runs_nothing_that_an_address_says(service: Service) -> None:
    for email in ("=cmd|x@example.org", "+1@example.org", "-1@example.org", ADA):
        assert service.subscribe(email).status_code == 202
    answer = service.get(f"{PAGE}?limit=3", headers={**service.key(), "Accept": "text/csv"})
    assert answer.mimetype == "text/csv"
    rows = list(csv.reader(io.StringIO(answer.text)))
    rest = service.get(following(answer), headers={**service.key(), "Accept": "text/csv"})
    rows += list(csv.reader(io.StringIO(rest.text)))[1:]
    assert rows[0] == ["email", "status", "mailable", "since", "language", "id", "unsubscribe"]
    assert sorted(row[0] for row in rows[1:]) == sorted(
        ["'=cmd|x@example.org", "'+1@example.org", "'-1@example.org", ADA]
    )


def test_ending_a_subscription_on_behalf_of_a_person(service: Service) -> None:
    service.confirmed(newsletters=["weekly", "events"])
    key = service.key(Scope.SUBSCRIBERS_WRITE)
    order = {"email": ADA.upper(), "newsletter": "weekly", "reason": "asked by phone"}
    answers = [service.post(UNSUBSCRIBE, headers=key, json=order) for _ in range(2)]
    assert [(each.status_code, each.get_json()) for each in answers] == [(200, {"status": "unsubscribed"})] * 2
    assert service.status()["weekly"]["reason"] == "asked by phone"
    assert service.status()["events"]["status"] == "confirmed"
    assert service.events().count("subscription.unsubscribed") == 1
    assert service.letter().delivered.recipient == ADA
    assert service.post(UNSUBSCRIBE, headers=key, json={"email": ADA, "all": True}).status_code == 200
    assert service.status()["events"]["reason"] == "api:shop"
    unknown = service.post(UNSUBSCRIBE, headers=key, json={"email": "nobody@example.org", "all": True})
    assert unknown.get_json() == answers[0].get_json()


def test_a_limited_key_sees_and_ends_nothing_of_other_newsletters(service: Service) -> None:
    service.confirmed(newsletters=["weekly", "events"])
    service.work()
    service.confirmed("grace@example.org", newsletters="events")
    key = service.key(Scope.STATUS_READ, Scope.SUBSCRIBERS_WRITE, newsletters=["weekly"])
    seen = service.get(PERSON, headers=key).get_json()
    assert [each["newsletter"] for each in seen["subscriptions"]] == ["weekly"]
    assert service.get("/api/v1/subscribers/grace@example.org", headers=key).status_code == 404
    assert service.get("/api/v1/newsletters/events/subscribers", headers=key).status_code == 404
    hidden = service.post(LOOKUP, headers=key, json={"newsletter": "events", "emails": [ADA]})
    unknown = service.post(LOOKUP, headers=key, json={"newsletter": "nowhere", "emails": [ADA]})
    assert (hidden.status_code, hidden.data) == (unknown.status_code, unknown.data)
    assert hidden.status_code == 422
    refused = service.post(UNSUBSCRIBE, headers=key, json={"email": ADA, "newsletter": "events"})
    assert refused.status_code == 422
    assert service.post(UNSUBSCRIBE, headers=key, json={"email": ADA, "all": True}).status_code == 200
    assert service.status()["weekly"]["status"] == "unsubscribed"
    assert service.status()["events"]["status"] == "confirmed"
