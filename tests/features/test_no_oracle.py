"""Whoever asks learns nothing of the address: neither from the answer nor from the work behind it."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from werkzeug.test import TestResponse

from app.api_keys import Scope
from tests.service import ADA, BROWSER, Service
from tests.states import (
    STATES,
    bounced,
    complained,
    confirmed_and_told,
    declined,
    out_of_budget,
    pending,
    suppressed_but_unknown,
)
from tests.watching import asks, assert_alike, assert_as_much, size, watched

ATTEMPTS = {"somebody.else@example.org": "an-attempt-of-22-chars", ADA: "another-attempt-chosen"}


@pytest.mark.parametrize("attempts", [{}, ATTEMPTS], ids=["no code", "code"])
@pytest.mark.parametrize("kind", ["json", "form"])
@pytest.mark.parametrize("arrange", STATES, ids=lambda arrange: arrange.__name__)
def test_no_state_shows_in_answer_or_work(
    service: Service, arrange: Callable[[Service], None], kind: str, attempts: dict[str, str]
) -> None:
    def fields(email: str) -> dict[str, str]:
        attempt = {"attempt": attempts[email]} if attempts else {"redirect": "https://example.org/thanks"}
        return {"email": email, "newsletters": "weekly", "language": "en", **attempt}

    first, expected = watched(service, asks(service, fields("somebody.else@example.org"), kind, client="192.0.2.1"))
    service.work()
    arrange(service)
    answer, work = watched(service, asks(service, fields(ADA), kind, client="192.0.2.2"))
    assert_alike(answer, first, attempts)
    assert_as_much(work, expected)
    assert len(work) >= 2
    assert work.rows == ONE_OF_EACH


@pytest.mark.parametrize("arrange", STATES, ids=lambda arrange: arrange.__name__)
def test_no_state_shows_to_a_service_that_asks_on_a_persons_behalf(
    service: Service, arrange: Callable[[Service], None]
) -> None:
    key = service.key(Scope.SUBSCRIBERS_WRITE)

    def asked_for(email: str) -> Callable[[], TestResponse]:
        order = {"email": email, "newsletters": ["weekly"], "language": "en", "source": "checkout"}
        return lambda: service.post("/api/v1/subscriptions", headers=key, json=order)

    service.get("/api/v1/subscribers/nobody@example.org", headers=key)  # a key is looked up once a second
    first, expected = watched(service, asked_for("somebody.else@example.org"))
    service.work()
    arrange(service)
    service.get("/api/v1/subscribers/nobody@example.org", headers=key)
    answer, work = watched(service, asked_for(ADA))
    assert_alike(answer, first)
    assert_as_much(work, expected)


@pytest.mark.parametrize("kind", ["json", "form"])
@pytest.mark.parametrize("arrange", STATES, ids=lambda arrange: arrange.__name__)
def test_no_state_shows_in_what_becomes_of_a_wrong_code(
    service: Service, arrange: Callable[[Service], None], kind: str
) -> None:
    arrange(service)
    for email, attempt in ATTEMPTS.items():
        service.subscribe(email, attempt=attempt)
    service.work()
    unheard_of = "an-attempt-that-no-form-chose"
    first, expected = watched(service, guesses(service, unheard_of, kind, client="192.0.2.1"))
    assert first.status_code == 422
    for number, attempt in enumerate(ATTEMPTS.values(), 2):
        answer, work = watched(service, guesses(service, attempt, kind, client=f"192.0.2.{number}"))
        assert_alike(answer, first, {attempt: unheard_of})
        assert work == expected
    assert [statement for _pool, statement in expected if statement.startswith("INSERT INTO mail_budgets")]


def guesses(service: Service, attempt: str, kind: str, *, client: str) -> Callable[[], TestResponse]:
    sent: dict[str, Any] = {"json" if kind == "json" else "data": {"attempt": attempt, "code": "no code"}}
    headers = BROWSER if kind == "form" else {}
    return lambda: service.post("/confirm/code", headers=headers, environ_base={"REMOTE_ADDR": client}, **sent)


def test_the_one_write_of_a_request_is_short_enough_to_stay_prepared(service: Service) -> None:
    """psycopg parses a text of 4,096 characters or more anew each time."""
    _answer, work = watched(service, lambda: service.subscribe(attempt=ATTEMPTS[ADA]))
    assert max(len(statement) for _pool, statement in work) < 4096


@pytest.mark.parametrize("kind", ["json", "form"])
def test_a_program_that_fell_into_the_trap_cannot_tell(service: Service, kind: str) -> None:
    elsewhere = {"redirect": "https://example.org/thanks"}  # our own page has an attempt in its URL, each time another
    fields = {"email": "somebody.else@example.org", "newsletters": "weekly", "language": "en", **elsewhere}
    first, expected = watched(service, asks(service, fields, kind, client="192.0.2.1"))
    trapped = {**fields, "email": ADA, "website": "https://spam.example"}
    answer, work = watched(service, asks(service, trapped, kind, client="192.0.2.2"))
    assert_alike(answer, first)
    assert_as_much(work, expected)
    assert service.status() is None
    assert [letter.delivered.recipient for letter in service.deliver()] == ["somebody.else@example.org"]


@pytest.mark.parametrize("arrange", STATES, ids=lambda arrange: arrange.__name__)
def test_no_state_shows_where_several_newsletters_are_asked_for(
    service: Service, arrange: Callable[[Service], None]
) -> None:
    def both(email: str) -> dict[str, Any]:
        return {"email": email, "newsletters": ["weekly", "events"], "language": "en"}

    first, expected = watched(service, asks(service, both("somebody.else@example.org"), "json", client="192.0.2.1"))
    service.work()
    arrange(service)
    answer, work = watched(service, asks(service, both(ADA), "json", client="192.0.2.2"))
    assert_alike(answer, first)
    assert work.rows == expected.rows == {**ONE_OF_EACH, "subscriptions": 2, "consent_events": 2}
    assert size(work) == pytest.approx(size(expected), rel=0.1)


NO_LETTER = [pending, confirmed_and_told, declined, bounced, complained, suppressed_but_unknown, out_of_budget]


@pytest.mark.parametrize("arrange", NO_LETTER, ids=lambda arrange: arrange.__name__)
def test_of_what_is_written_for_nothing_nothing_stays_and_nothing_is_about_the_person(
    service: Service, arrange: Callable[[Service], None]
) -> None:
    arrange(service)
    service.work()
    kept = service.counts()
    form = {"email": ADA, "newsletters": "weekly", "language": "en", "attempt": ATTEMPTS[ADA]}
    _answer, work = watched(service, asks(service, form, "form", client="192.0.2.2"))
    assert service.counts() == {**kept, "mail_budgets": kept["mail_budgets"] or 1}
    assert service.work() == []
    assert work.rows == ONE_OF_EACH
    made_up = json.dumps({table: rows for table, rows in work.handed.items() if table != "mail_budgets"})
    assert ADA not in made_up
    assert "evidence" in made_up
    assert "language" not in work.handed["consent_events"][0]["evidence"]
    known = [*service.rows("SELECT id FROM subscribers"), *service.rows("SELECT id FROM subscriptions")]
    assert not [row for row in known if str(row.id) in made_up]


ONE_OF_EACH = {"mail_budgets": 1, "subscribers": 1, "letters": 1, "subscriptions": 1, "consent_events": 1}
"""Two budgets: of the address, and of its mailbox."""
