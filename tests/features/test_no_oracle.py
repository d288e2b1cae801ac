"""Whoever asks learns nothing of the address: neither from the answer nor from the work behind it."""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine, event, select
from werkzeug.test import TestResponse

from app import cache, clock, suppressions
from app.addresses import EmailAddress
from app.api_keys import Scope
from app.consent import Act, Actor
from app.resources import resources_of
from app.subscriptions import transitions
from app.subscriptions.model import Status, Subscriber, Subscription
from app.subscriptions.transitions import Ended
from app.suppressions import Reason
from tests.service import ADA, BROWSER, Service


def new(service: Service) -> None:
    pass


def pending(service: Service) -> None:
    service.subscribe()


def confirmed(service: Service) -> None:
    service.confirmed()


def confirmed_and_told(service: Service) -> None:
    service.confirmed()
    service.subscribe()


def unsubscribed(service: Service) -> None:
    service.post(service.confirmed().one_click)


def declined(service: Service) -> None:
    service.subscribe()
    service.post(service.letter().link + "/decline")


def bounced(service: Service) -> None:
    ended(service, Status.BOUNCED, Reason.HARD_BOUNCE)


def complained(service: Service) -> None:
    ended(service, Status.COMPLAINED, Reason.COMPLAINT)


def suppressed_but_unknown(service: Service) -> None:
    suppress(service, Reason.COMPLAINT)


def out_of_budget(service: Service) -> None:
    for newsletters in ("weekly", "events"):
        service.subscribe(newsletters=newsletters)
        service.work()


def another_tag_declined(service: Service) -> None:
    service.subscribe("ada+1@example.org")
    service.post(service.letter().link + "/decline")


def mailbox_out_of_budget(service: Service) -> None:
    for number in range(10):
        service.subscribe(f"ada+{number}@example.org")
    service.work()


def ended(service: Service, status: Ended, reason: Reason) -> None:
    service.confirmed()
    with service.database.transaction() as session:
        subscription = session.scalars(select(Subscription).join(Subscriber).where(Subscriber.canonical == ADA)).one()
        transitions.end(session, subscription, status, Act(Actor.SERVICE, {"method": str(reason)}))
    suppress(service, reason)


def suppress(service: Service, reason: Reason) -> None:
    digest = EmailAddress.parse(ADA).digest(resources_of(service.app).settings.suppression_key)
    with service.database.transaction() as session:
        suppressions.suppress(session, digest, reason, since=clock.now())


STATES: list[Callable[[Service], None]] = [
    new,
    pending,
    confirmed,
    confirmed_and_told,
    unsubscribed,
    declined,
    bounced,
    complained,
    suppressed_but_unknown,
    out_of_budget,
    another_tag_declined,
    mailbox_out_of_budget,
]


class Work(list[tuple[str, str]]):
    """Every statement that was sent to the database, and by which pool."""

    def __init__(self) -> None:
        self.handed: dict[str, list[dict[str, Any]]] = {}
        """Rows to write, by table; those too that the database undoes."""

    @property
    def rows(self) -> dict[str, int]:
        return {table: len(rows) for table, rows in self.handed.items() if rows}

    def hand(self, table: str, text: object) -> None:
        if isinstance(text, str) and text.startswith("["):
            self.handed.setdefault(table.removeprefix("undone_"), []).extend(json.loads(text))

    @contextmanager
    def watched(self, service: Service) -> Iterator[None]:
        pools = {"writer": service.database.writer, "reader": service.database.reader}
        watch = self._on_sqlite if service.database.writer.dialect.name == "sqlite" else self._on_postgresql
        with watch(pools):
            yield

    @contextmanager
    def _on_sqlite(self, pools: dict[str, Engine]) -> Iterator[None]:
        notes = {name: self._note(name) for name in pools}
        for name, engine in pools.items():
            event.listen(engine, "before_cursor_execute", notes[name])
        try:
            yield
        finally:
            for name, engine in pools.items():
                event.remove(engine, "before_cursor_execute", notes[name])

    def _note(self, pool: str) -> Callable[..., None]:
        def noting(_connection: object, _cursor: object, statement: str, values: Any, *_rest: object) -> None:
            self.append((pool, statement))
            if statement.startswith("INSERT INTO"):
                for value in values:
                    self.hand(statement.split()[2], value)

        return noting

    @contextmanager
    def _on_postgresql(self, _pools: dict[str, Engine]) -> Iterator[None]:
        """At the driver, where every statement passes, whoever sent it."""
        execute = psycopg.Cursor.execute

        def noting(cursor: psycopg.Cursor[Any], query: Any, *rest: Any, **options: Any) -> Any:
            reads = "read_only" in cursor.connection.info.get_parameters().get("options", "")
            self.append(("reader" if reads else "writer", str(query)))
            for values in rest:
                for name, value in values.items() if isinstance(values, Mapping) else ():
                    self.hand(name, value)
            return execute(cursor, query, *rest, **options)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(psycopg.Cursor, "execute", noting)
            yield


def watched(service: Service, ask: Callable[[], TestResponse]) -> tuple[TestResponse, Work]:
    """But for what each process looks up once a second, whoever asks."""
    resources_of(service.app).catalogue.get()
    work = Work()
    with pytest.MonkeyPatch.context() as patch, work.watched(service):
        patch.setattr(cache, "FRESH_FOR_SECONDS", 3600)
        answer = ask()
    return answer, work


def asks(service: Service, fields: dict[str, Any], kind: str, *, client: str) -> Callable[[], TestResponse]:
    """From a client of its own: the second request of one is counted elsewhere than the first."""
    origin = {"environ_base": {"REMOTE_ADDR": client}}
    if kind == "json":
        return lambda: service.post("/subscribe", json={**fields, "consent": True}, **origin)
    return lambda: service.post("/subscribe", data={**fields, "consent": "yes"}, headers=BROWSER, **origin)


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


def assert_as_much(work: Work, expected: Work) -> None:
    """On SQLite what stays is written before what is undone, each table in its turn."""
    assert Counter(work) == Counter(expected)
    assert work.rows == expected.rows
    assert size(work) == pytest.approx(size(expected), rel=0.1)


def size(work: Work) -> int:
    """Characters of the rows beside the budget, which stays in every state."""
    return sum(len(json.dumps(rows)) for table, rows in work.handed.items() if table != "mail_budgets")


def assert_alike(answer: TestResponse, expected: TestResponse, attempts: dict[str, str] | None = None) -> None:
    """But for the attempt, which whoever asks has chosen."""

    def blank(text: str) -> str:
        for attempt in [each for pair in (attempts or {}).items() for each in pair]:
            text = text.replace(attempt, "…")
        return text

    assert answer.status == expected.status
    assert blank(answer.text) == blank(expected.text)
    assert [(name, blank(value)) for name, value in without_lengths(answer)] == [
        (name, blank(value)) for name, value in without_lengths(expected)
    ]


def without_lengths(answer: TestResponse) -> list[tuple[str, str]]:
    return [(name, value) for name, value in answer.headers if name not in ("Date", "Content-Length")]
