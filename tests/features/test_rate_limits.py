"""Rate limits: a client is refused, a crowd has to prove work, and what a header claims is believed of proxies only."""

from collections.abc import Iterator
from typing import Any

import pytest
import time_machine
from limits.storage import MemoryStorage
from werkzeug.test import TestResponse

from app.abuse.rate_limit import Counter, DatabaseStorage, Limit, Storage
from app.database import Database
from app.resources import resources_of
from app.web import rate_limits
from tests import attack
from tests.catalogues import NEVER
from tests.concurrency import at_once
from tests.features.conftest import OpenService
from tests.service import ADA, Service


@pytest.fixture(autouse=True)
def in_one_minute() -> Iterator[time_machine.Traveller]:
    """Twenty seconds before the next begins."""
    with time_machine.travel("2026-11-23 20:00:40+00:00", tick=False) as clock:
        yield clock


@pytest.fixture
def storage(database: Database) -> Storage:
    return DatabaseStorage(database.writer)


PROCESSES = 4
SECRET = "s" * 32


@pytest.mark.parametrize("a_minute", [1, 5, 60, 600])
def test_over_several_processes_no_more_pass_than_the_limit_and_a_lot_for_each(storage: Storage, a_minute: int) -> None:
    limit = Limit("form", a_minute)
    processes = [Counter(storage, SECRET) for _ in range(PROCESSES)]
    passed = sum(processes[number % PROCESSES].hit(limit, "weekly") for number in range(3 * a_minute + 100))
    assert a_minute <= passed <= a_minute + PROCESSES * limit.lot


def test_one_process_counts_exactly(storage: Storage) -> None:
    counter = Counter(storage, SECRET)
    assert [counter.hit(Limit("client", 5), "somebody") for _ in range(8)] == [True] * 5 + [False] * 3
    assert counter.hit(Limit("client", 5), "somebody else")
    assert counter.hit(Limit("network", 5), "somebody")


def test_threads_of_one_process_lose_no_hit(storage: Storage) -> None:
    counter, limit = Counter(storage, SECRET), Limit("form", 100)
    at_once([lambda: [counter.hit(limit, "weekly") for _ in range(10)]] * 8)
    assert sum(counter.hit(limit, "weekly") for _ in range(100)) == 20


class CountsQuestions(MemoryStorage):
    asked = 0

    def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        self.asked += 1
        return super().incr(key, expiry, amount)


def test_the_store_hears_of_a_lot_at_a_time_and_of_a_full_window_nothing_more() -> None:
    storage = CountsQuestions()
    counter, limit = Counter(storage, SECRET), Limit("form", 600)
    assert all(counter.hit(limit, "weekly") for _ in range(600))
    assert storage.asked == 600 // 13
    assert not any(counter.hit(limit, "weekly") for _ in range(1000))
    assert storage.asked == 600 // 13


def test_everybody_starts_from_zero_in_the_next_minute(storage: Storage, in_one_minute: time_machine.Traveller) -> None:
    counter, limit = Counter(storage, SECRET), Limit("client", 3)
    assert [counter.hit(limit, "somebody") for _ in range(4)] == [True] * 3 + [False]
    in_one_minute.shift(19)
    assert not counter.hit(limit, "somebody")
    in_one_minute.shift(1)
    assert counter.hit(limit, "somebody")


def ask(service: Service, number: int = 0, client: str = "192.0.2.1", **more: Any) -> TestResponse:
    fields = {"email": f"reader{number}@example.org", "newsletters": "weekly", "consent": True}
    return service.post("/subscribe", json={**fields, **more}, environ_base={"REMOTE_ADDR": client})


def test_a_client_beyond_its_limit_is_told_when_to_come_back(
    open_service: OpenService, in_one_minute: time_machine.Traveller
) -> None:
    service = open_service(rate_limit_subscribe=5)
    assert [ask(service, number).status_code for number in range(6)] == [202] * 5 + [429]
    refused = ask(service)
    assert refused.headers["Retry-After"] == "20"
    assert refused.get_json()["status"] == 429
    assert ask(service, client="192.0.2.2").status_code == 202
    in_one_minute.shift(20)
    assert ask(service, number=7).status_code == 202


@pytest.mark.parametrize(
    ("clients", "answer"),
    [
        (["2001:db8:1:2::1", "2001:db8:1:2:ffff::2"], 429),
        (["2001:db8:1:2::1", "2001:db8:1:3::1"], 202),
        (["192.0.2.1", "::ffff:192.0.2.1"], 429),
        (["192.0.2.1", "192.0.2.2"], 202),
    ],
)
def test_an_ipv6_line_is_one_client_and_each_ipv4_address_is(
    open_service: OpenService, clients: list[str], answer: int
) -> None:
    service = open_service(rate_limit_subscribe=1)
    assert ask(service, client=clients[0]).status_code == 202
    assert ask(service, client=clients[1]).status_code == answer


@pytest.mark.parametrize(
    ("proxies", "stated", "counted"),
    [
        (0, "198.51.100.{}", "one"),
        (1, "198.51.100.{}", "each"),
        (1, "198.51.100.{}, 203.0.113.9", "one"),
        (1, "203.0.113.9, 198.51.100.{}", "each"),
        (2, "198.51.100.{}, 10.0.0.1", "each"),
        (2, "198.51.100.{}, 203.0.113.9, 10.0.0.1", "one"),
        (2, "203.0.113.9, 198.51.100.{}, 10.0.0.1", "each"),
        (2, "198.51.100.{}", "one"),
    ],
    ids=[
        "without a proxy the header is anybody's",
        "one proxy wrote it",
        "one proxy added to what the client had made up",
        "what the client made up does not matter",
        "the first of two proxies wrote it",
        "two proxies added to what the client had made up",
        "two proxies, and what the client made up does not matter",
        "shorter than the proxies are many: not by way of all of them",
    ],
)
def test_a_client_is_whom_the_outermost_trusted_proxy_saw(
    open_service: OpenService, proxies: int, stated: str, counted: str
) -> None:
    service = open_service(rate_limit_subscribe=1, trusted_proxies=proxies)
    answers = [
        service.post(
            "/subscribe",
            json={"email": ADA, "newsletters": "weekly", "consent": True},
            headers={"X-Forwarded-For": stated.format(number)},
        ).status_code
        for number in (1, 2)
    ]
    assert answers == [202, 202 if counted == "each" else 429]


def crowded(service: Service, client: str, *newsletters: str) -> frozenset[str]:
    open_ = resources_of(service.app).catalogue.get().open
    with service.app.test_request_context(environ_base={"REMOTE_ADDR": client}):
        return rate_limits.crowded([open_[each] for each in newsletters])


def test_a_form_that_is_asked_too_often_is_crowded_for_everybody_and_other_forms_are_not(
    open_service: OpenService,
) -> None:
    service = open_service(rate_limit_form=3)
    for number in range(3):
        assert crowded(service, f"198.51.{number}.1", "weekly") == frozenset()
    assert crowded(service, "203.0.113.1", "weekly") == {"weekly"}
    assert crowded(service, "203.0.113.1", "weekly", "events") == {"weekly"}
    assert ask(service).get_json()["errors"].keys() == {"proof_of_work"}
    assert ask(service, proof_of_work=attack.proof(service)).status_code == 202, "nobody is refused who can prove work"


@pytest.mark.parametrize(
    ("network", "elsewhere"), [("198.51.100.{}", "198.51.101.1"), ("2001:db8:1:{}::1", "2001:db8:2::1")]
)
def test_a_network_that_asks_too_often_is_crowded_for_all_newsletters(
    open_service: OpenService, network: str, elsewhere: str
) -> None:
    service = open_service(rate_limit_subscribe=2)
    for number in range(10):
        assert crowded(service, network.format(number), "weekly") == frozenset()
    assert crowded(service, network.format(11), "weekly", "events") == {"weekly", "events"}
    assert crowded(service, elsewhere, "weekly") == frozenset()


def test_where_no_work_is_ever_asked_for_a_crowd_is_refused(open_service: OpenService) -> None:
    service = open_service(catalogue=NEVER, rate_limit_form=3)
    answers = [ask(service, number, client=f"198.51.{number}.1") for number in range(4)]
    assert [each.status_code for each in answers] == [202, 202, 202, 429]
    assert answers[3].headers["Retry-After"] == "20"
    assert ask(service, 5, client="203.0.113.1", newsletters="events").status_code == 202


def test_what_one_client_is_refused_does_not_crowd_a_form(open_service: OpenService) -> None:
    service = open_service(catalogue=NEVER, rate_limit_subscribe=2, rate_limit_form=4)
    for number in range(20):
        ask(service, number)
    assert ask(service, 21, client="203.0.113.1").status_code == 202


def test_no_client_address_rests_where_hits_are_counted(open_service: OpenService) -> None:
    service = open_service(rate_limit_subscribe=100)
    for number in range(20):
        ask(service, number, client="198.51.100.77")
    kept = [row.key for row in service.rows("SELECT key FROM rate_limits")]
    assert {key.partition("/")[0] for key in kept} == {"client", "network", "form"}
    for written in ("198.51", "c63364", "c633644d"):
        assert written not in str(kept)
