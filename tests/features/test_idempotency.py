"""`Idempotency-Key`: whoever repeats a request gets the first answer, and nothing happens twice."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from werkzeug.test import TestResponse

from app.api_keys import Scope
from tests.api_paths import LOOKUP, UNSUBSCRIBE
from tests.clocks import Clock
from tests.concurrency import at_once, await_lock, holding
from tests.service import ADA, GRACE, Service

ORDERS = "/api/v1/subscriptions"
WRITES = Scope.SUBSCRIBERS_WRITE


def keyed(service: Service, key: str = "order 7", *, scope: Scope = WRITES) -> dict[str, str]:
    return {**service.key(scope), "Idempotency-Key": key}


def order(service: Service, headers: dict[str, str], email: str = ADA, **fields: Any) -> TestResponse:
    return service.post(ORDERS, headers=headers, json={"email": email, "newsletters": ["weekly"], **fields})


def test_an_order_that_is_repeated_asks_once_and_gets_the_first_answer(service: Service) -> None:
    headers = keyed(service)
    first = order(service, headers, language="fr")
    assert (first.status_code, "Idempotent-Replayed" in first.headers) == (202, False)
    service.letter()
    assert service.post(UNSUBSCRIBE, headers=service.key(WRITES), json={"email": ADA, "all": True}).status_code == 200
    before = service.counts()
    again = order(service, headers, language="fr")
    assert (again.status_code, again.data, again.content_type) == (202, first.data, first.content_type)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert service.counts() == before
    assert service.deliver() == []


def test_another_request_under_the_same_key_is_refused(service: Service) -> None:
    headers = keyed(service)
    assert order(service, headers).status_code == 202
    before = service.counts()
    for other in (
        order(service, headers, GRACE),
        service.post(f"{ORDERS}?language=fr", headers=headers, json={"email": ADA, "newsletters": ["weekly"]}),
        service.post(UNSUBSCRIBE, headers=headers, json={"email": ADA, "newsletters": ["weekly"]}),
    ):
        assert other.status_code == 422
        assert other.get_json()["type"] == "urn:jawel:problem:idempotency-key-reused"
        assert "Idempotent-Replayed" not in other.headers
    assert service.counts() == before


def test_a_key_belongs_to_the_api_key_that_sent_it(service: Service) -> None:
    assert order(service, keyed(service)).status_code == 202
    other = order(service, keyed(service), GRACE)
    assert (other.status_code, "Idempotent-Replayed" in other.headers) == (202, False)


def test_what_a_lookup_answered_is_kept_where_nobody_but_its_caller_can_read_it(service: Service) -> None:
    letter = service.confirmed()
    headers = keyed(service, scope=Scope.STATUS_READ)
    ask = partial(service.post, LOOKUP, headers=headers, json={"newsletter": "weekly", "emails": [ADA]})
    first = ask()
    service.post(letter.one_click)
    assert ask().get_json() == first.get_json()
    (row,) = service.rows("SELECT * FROM kept_answers")
    assert ADA.encode() not in bytes(row.answer)
    assert b"mailable" not in bytes(row.answer)
    assert not {ADA, "order 7", headers["Authorization"]} & {row.digest, row.request}


def test_a_refused_request_is_kept_too_and_a_missing_scope_is_not(service: Service) -> None:
    headers = keyed(service)
    wrong = order(service, headers, "nobody@")
    assert wrong.status_code == 422
    again = order(service, headers, "nobody@")
    assert (again.status_code, again.get_json()) == (422, wrong.get_json())
    assert again.headers["Idempotent-Replayed"] == "true"
    mended = order(service, headers)
    assert mended.get_json()["type"] == "urn:jawel:problem:idempotency-key-reused"
    before = service.counts()["kept_answers"]
    assert order(service, keyed(service, scope=Scope.STATUS_READ)).status_code == 403
    assert order(service, {"Idempotency-Key": "order 7"}).status_code == 401
    assert service.counts()["kept_answers"] == before


@pytest.mark.parametrize("key", ["", "x" * 256, "caf\xe9", "a\tb"])
def test_a_key_that_is_none_is_an_error_that_names_it(service: Service, key: str) -> None:
    answer = order(service, keyed(service, key))
    assert (answer.status_code, [*answer.get_json()["errors"]]) == (422, ["Idempotency-Key"])
    assert service.counts()["subscribers"] == 0


def test_the_longest_key_is_taken(service: Service) -> None:
    headers = keyed(service, "~" * 255)
    assert [order(service, headers).status_code for _ in range(2)] == [202, 202]
    assert service.events() == ["subscription.requested"]


def test_after_a_day_a_key_is_new_again(service: Service, moved: Clock) -> None:
    headers = keyed(service)
    order(service, headers)
    moved.shift(timedelta(hours=23, minutes=59))
    assert order(service, headers).headers["Idempotent-Replayed"] == "true"
    moved.shift(timedelta(minutes=2))
    assert "Idempotent-Replayed" not in order(service, headers, GRACE).headers
    moved.shift(timedelta(hours=25))
    service.work()
    assert service.counts()["kept_answers"] == 0


def test_requests_at_the_same_instant_have_one_effect_and_one_answer(service: Service) -> None:
    headers = keyed(service)
    answers = at_once([partial(order, service, headers)] * 6)
    assert {answer.status_code for answer in answers} <= {202, 409}
    assert all(int(each.headers["Retry-After"]) > 0 for each in answers if each.status_code == 409)
    assert len({answer.data for answer in answers if answer.status_code == 202}) == 1
    assert service.events() == ["subscription.requested"]
    assert len(service.deliver()) == 1


def test_orders_for_one_address_under_keys_of_their_own_all_get_through(service: Service) -> None:
    acts = [partial(order, service, keyed(service, f"order {number}")) for number in range(6)]
    assert [answer.status_code for answer in at_once(acts)] == [202] * 6
    assert service.events() == ["subscription.requested"]


@pytest.mark.parametrize("engine", ["postgresql"])
def test_while_the_first_is_under_way_the_second_is_told_when_to_come_back(service: Service) -> None:
    service.confirmed()
    headers = keyed(service)
    leave = partial(service.post, UNSUBSCRIBE, headers=headers, json={"email": ADA, "newsletter": "weekly"})
    with ThreadPoolExecutor(1) as pool:
        with holding(service, "SELECT id FROM subscriptions FOR UPDATE"):
            first = pool.submit(leave)
            await_lock(service)
            second = leave()
        assert first.result().status_code == 200
    assert (second.status_code, second.get_json()["type"]) == (409, "urn:jawel:problem:request-under-way")
    assert int(second.headers["Retry-After"]) > 0
    assert leave().headers["Idempotent-Replayed"] == "true"


def test_an_answer_that_was_not_kept_had_no_effect(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk is full at the very end: whoever repeats the request asks for the first time."""
    headers = keyed(service)
    with service.database.transaction() as session:
        session.connection().exec_driver_sql("ALTER TABLE kept_answers RENAME TO moved_away")
    assert order(service, headers).status_code >= 500
    assert service.events() == []
    with service.database.transaction() as session:
        session.connection().exec_driver_sql("ALTER TABLE moved_away RENAME TO kept_answers")
    assert order(service, headers).status_code == 202
    assert service.events() == ["subscription.requested"]
