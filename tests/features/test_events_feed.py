"""The feed: what happened, in the order of the log, for services that keep in step."""

import signal
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from app.api_keys import Scope
from app.ledger import feed
from tests.commands import Jawel, serving
from tests.log import grow, log_of, seal, write_events
from tests.service import ADA, Service

FEED = "/api/v1/events"


def ask(service: Service, key: dict[str, str], **question: object) -> Any:
    answer = service.get(FEED, headers=key, query_string=question)
    assert answer.status_code == 200, answer.text
    return answer.get_json()


def heard(service: Service, key: dict[str, str], **question: object) -> tuple[list[int], int]:
    """The positions, and `next`."""
    page = ask(service, key, **question)
    return [each["position"] for each in page["events"]], page["next"]


def pages(service: Service, key: dict[str, str], limit: int) -> Iterator[Any]:
    after = -1
    while True:
        page = ask(service, key, after=after, limit=limit)
        if not page["events"]:
            return
        yield page
        after = page["next"]


def test_a_double_opt_in_is_told_in_order(service: Service) -> None:
    service.subscribe()
    (letter,) = service.work()
    assert service.post(letter.link).status_code == 200
    key = service.key(Scope.EVENTS_READ)
    assert ask(service, key)["next"] == 1, "the press of the button awaits its seal"
    service.work()
    told = ask(service, key)
    assert [(each["position"], each["type"]) for each in told["events"]] == [
        (0, "subscription.requested"),
        (1, "letter.accepted"),
        (2, "subscription.confirmed"),
    ]
    person = service.get(f"/api/v1/subscribers/{ADA}", headers=service.key()).get_json()
    assert {(each["subscriber"], each["newsletter"]) for each in told["events"]} == {(person["id"], "weekly")}
    assert told["events"][2]["occurred_at"] == person["subscriptions"][0]["since"]
    assert told["next"] == 2
    assert ask(service, key, after=2) == {"log": told["log"], "events": [], "next": 2}
    assert "example.org" not in service.get(FEED, headers=key).text


def test_nothing_sealed_is_an_empty_page_to_go_on_from(service: Service) -> None:
    key = service.key(Scope.EVENTS_READ)
    assert heard(service, key) == ([], -1)
    grow(service, [1])
    assert [each["position"] for each in ask(service, key, after=-1)["events"]] == [0]


def test_pages_leave_nothing_out_and_tell_nothing_twice(service: Service) -> None:
    grow(service, [3, 10, 11])
    for limit in (1, 3, 4, 11, 100):
        told = [
            each["position"]
            for page in pages(service, service.key(Scope.EVENTS_READ), limit)
            for each in page["events"]
        ]
        assert told == [*range(11)]


def test_a_key_for_one_newsletter_is_told_of_no_other(service: Service) -> None:
    service.confirmed(newsletters=["weekly", "events"])
    service.confirmed("grace@example.org", newsletters="weekly")
    service.work()
    key = service.key(Scope.EVENTS_READ, newsletters=["events"])
    told = ask(service, key)
    every = ask(service, service.key(Scope.EVENTS_READ))
    assert told["events"] == [each for each in every["events"] if each["newsletter"] == "events"]
    assert len(told["events"]) == 3
    assert told["next"] == every["next"]


def test_a_key_for_one_newsletter_is_told_who_is_to_be_forgotten(service: Service) -> None:
    """Whoever may hold a copy of the address has to erase it too (GDPR Art. 19)."""
    service.confirmed(newsletters="events")
    erased = service.get(f"/api/v1/subscribers/{ADA}", headers=service.key()).json["id"]
    service.app.test_client().delete(f"/api/v1/subscribers/{ADA}", headers=service.key(Scope.SUBSCRIBERS_WRITE))
    service.work()
    told = ask(service, service.key(Scope.EVENTS_READ, newsletters=["events"]))["events"][-1]
    assert (told["type"], told["subscriber"], told["newsletter"]) == ("subscriber.erased", erased, None)


def test_a_key_for_one_newsletter_goes_on_through_a_long_stretch_of_others(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "LOOK_AHEAD", 4)
    grow(service, [10])
    service.subscribe(newsletters="events")
    service.work()
    key = service.key(Scope.EVENTS_READ, newsletters=["events"])
    assert heard(service, key) == ([], 3)
    told = ask(service, key, wait=5)
    assert [each["position"] for each in told["events"]] == [10, 11]


def test_who_waits_is_told_as_soon_as_something_is_sealed(service: Service) -> None:
    grow(service, [2])
    key = service.key(Scope.EVENTS_READ)
    later = threading.Timer(0.3, lambda: (write_events(service.database, 1), seal(service.database, log_of(service))))
    later.start()
    assert [each["position"] for each in ask(service, key, after=1, wait=30)["events"]] == [2]
    later.join()
    assert heard(service, key, after=2, wait=1) == ([], 2)


@pytest.mark.parametrize("engine", ["sqlite"])
def test_who_waits_is_answered_when_the_server_is_told_to_stop(service: Service, jawel: Jawel) -> None:
    key = service.key(Scope.EVENTS_READ)
    question = f"GET {FEED}?wait=30 HTTP/1.1\r\nHost: localhost\r\nAuthorization: {key['Authorization']}\r\n\r\n"
    with (
        serving(jawel, "--no-worker") as running,
        socket.create_connection(("127.0.0.1", running.port), timeout=25) as client,
    ):
        client.sendall(question.encode())
        time.sleep(2)  # No sign is given of a request that waits.
        running.process.send_signal(signal.SIGTERM)
        assert client.recv(1000).startswith(b"HTTP/1.1 200")
        assert running.process.wait(25) == 0


@pytest.mark.parametrize(
    ("question", "field"),
    [
        ("after=-2", "after"),
        ("after=x", "after"),
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("wait=31", "wait"),
        ("after=newest", "after"),
        ("log=abc", "log"),
        ("log=abc&after=latest", "log"),
    ],
)
def test_a_question_that_makes_no_sense_is_told_so(service: Service, question: str, field: str) -> None:
    answer = service.get(f"{FEED}?{question}", headers=service.key(Scope.EVENTS_READ))
    assert (answer.status_code, [*answer.get_json()["errors"]]) == (422, [field])


def test_the_feed_is_for_those_with_its_scope(service: Service) -> None:
    assert service.get(FEED).status_code == 401
    assert service.get(FEED, headers=service.key(Scope.STATUS_READ)).status_code == 403
    assert service.get(FEED, headers=service.key(Scope.ADMIN)).status_code == 200
