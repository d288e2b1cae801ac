"""`If-Match`: nothing happens to somebody who is not as the caller last saw them."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from werkzeug.test import TestResponse

from app.api_keys import Scope
from tests.api_paths import PERSON, UNSUBSCRIBE
from tests.concurrency import await_lock, holding
from tests.service import ADA, BOTH, Service


def erase(service: Service, etag: str, who: str = PERSON, **limited: Any) -> TestResponse:
    headers = {**service.key(Scope.SUBSCRIBERS_WRITE, **limited), "If-Match": etag}
    return service.app.test_client().delete(who, headers=headers)


def leave(service: Service, etag: str, email: str = ADA) -> TestResponse:
    headers = {**service.key(Scope.SUBSCRIBERS_WRITE), "If-Match": etag}
    return service.post(UNSUBSCRIBE, headers=headers, json={"email": email, "newsletter": "weekly"})


def etag_of(service: Service, **limited: Any) -> str:
    return service.get(PERSON, headers=service.key(**limited)).headers["ETag"]


@pytest.mark.parametrize("etag", ['"wrong"', "wrong", "", 'W/"wrong"', '"a", "b"'])
def test_with_another_etag_nothing_happens(service: Service, etag: str) -> None:
    service.confirmed()
    before = service.counts()
    for act in (erase, leave):
        answer = act(service, etag)
        assert (answer.status_code, answer.mimetype) == (412, "application/problem+json")
        assert answer.headers["ETag"] == etag_of(service)
    assert service.status() is not None
    assert service.counts()["consent_events"] == before["consent_events"]


def test_a_weak_etag_matches_nothing(service: Service) -> None:
    service.confirmed()
    assert erase(service, f"W/{etag_of(service)}").status_code == 412


def test_the_etag_of_now_and_any_do_what_is_asked(service: Service) -> None:
    service.confirmed()
    assert leave(service, f'"older", {etag_of(service)}').status_code == 200
    assert erase(service, "*").status_code == 204
    assert service.status() is None


def test_who_left_meanwhile_is_not_erased_unseen(service: Service) -> None:
    letter = service.confirmed()
    seen = etag_of(service)
    service.post(letter.one_click)
    refused = erase(service, seen)
    assert refused.status_code == 412
    assert erase(service, refused.headers["ETag"]).status_code == 204


@pytest.mark.parametrize("etag", ["*", '"wrong"'])
def test_somebody_unknown_matches_nothing(service: Service, etag: str) -> None:
    for answer in (erase(service, etag), leave(service, etag)):
        assert answer.status_code == 412
        assert "ETag" not in answer.headers
    assert service.counts()["consent_events"] == 0


def test_a_limited_key_compares_with_what_it_sees(service: Service) -> None:
    service.confirmed(newsletters=BOTH)
    seen = etag_of(service, newsletters=["weekly"])
    assert seen != etag_of(service)
    assert erase(service, seen).status_code == 412
    assert erase(service, seen, newsletters=["weekly"]).status_code == 204
    assert list(service.status() or {}) == ["events"]


@pytest.mark.parametrize("engine", ["postgresql"])
def test_of_those_who_saw_the_same_one_acts(service: Service) -> None:
    service.confirmed()
    seen = etag_of(service)
    with ThreadPoolExecutor(2) as pool:
        with holding(service, "SELECT id FROM subscriptions FOR UPDATE"):
            acts = [pool.submit(leave, service, seen) for _ in range(2)]
            await_lock(service, waiting=2)
        assert sorted(act.result().status_code for act in acts) == [200, 412]
