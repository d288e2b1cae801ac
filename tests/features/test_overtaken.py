"""What a signup does when the database refuses its write: it starts over where others came first, else it fails."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
import time_machine
from sqlalchemy import false, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from app import clock, logs
from app.database import Database, json_insert
from app.ledger import anchors
from app.ledger.anchors import Anchor
from app.resources import resources_of
from migrations import signup_functions
from tests.concurrency import await_lock
from tests.engines import on_postgresql
from tests.service import ADA, COOL_DOWN, Service
from tests.watching import watched

MISFITS = {
    "a column that no row gives": "ALTER TABLE letters ADD COLUMN extra text NOT NULL",
    "a rule that no row keeps to": "ALTER TABLE letters ADD CONSTRAINT rule CHECK (language = 'xx')",
    "a row that is not there": "ALTER TABLE letters ADD FOREIGN KEY (language) REFERENCES newsletters (slug)",
}


@on_postgresql
@pytest.mark.parametrize("misfit", MISFITS)
def test_what_would_be_refused_again_is_not_tried_again_and_stands_in_the_log(
    service: Service, misfit: str, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    logs.configure(resources_of(service.app).settings)  # from here on to what this test captures
    with service.database.transaction() as session:
        session.execute(text(MISFITS[misfit]))
    answer, work = watched(service, service.subscribe)
    assert answer.status_code == 500
    assert len([statement for _pool, statement in work if "record_signup" in statement]) == 1
    printed = "".join(capfd.readouterr()) + caplog.text
    (crash,) = [line for line in printed.splitlines() if "request.crashed" in line]
    assert '"kind": "IntegrityError"' in crash
    assert "recording.py" in crash
    assert ADA not in printed


@on_postgresql
def test_who_is_erased_while_asking_again_is_asked_as_somebody_new(service: Service) -> None:
    with time_machine.travel("2026-11-23 20:00:00+00:00", tick=True) as moved, ThreadPoolExecutor(1) as pool:
        service.subscribe()
        service.work()
        moved.shift(COOL_DOWN)
        with service.database.transaction() as session:
            session.execute(text("DELETE FROM subscribers"))
            asking = pool.submit(service.subscribe)
            await_lock(service)
        assert asking.result().status_code == 202
    assert service.post(service.letter().link).status_code == 200


class Tables(DeclarativeBase):
    pass


class Thing(Tables):
    """With a default for each type that ours have."""

    __tablename__ = "things"

    id: Mapped[int] = mapped_column(primary_key=True)
    tries: Mapped[int | None] = mapped_column(server_default="7")
    is_odd: Mapped[bool | None] = mapped_column(server_default=false())
    name: Mapped[str | None] = mapped_column(server_default="nobody")
    remark: Mapped[str | None]


@contextmanager
def things(database: Database) -> Iterator[None]:
    with database.writer.begin() as connection:
        Tables.metadata.create_all(connection)
    yield


def test_a_column_that_a_row_leaves_out_has_its_default_and_what_is_given_stands(database: Database) -> None:
    with things(database), database.writer.begin() as connection:
        written = json_insert.together([json_insert.insert(Thing, connection.dialect.name)])
        given = {"id": 2, "tries": 0, "is_odd": True, "name": "ada"}
        for each in written:
            each.run(connection, json_insert.parameters({Thing: [{"id": 1}, given]}))
        found = connection.execute(text("SELECT id, tries, is_odd, name, remark FROM things ORDER BY id")).all()
    assert [tuple(row) for row in found] == [(1, 7, False, "nobody", None), (2, 0, True, "ada", None)]


@pytest.mark.parametrize("table", ["mail_budgets", "subscribers", "letters", "subscriptions", "consent_events"])
def test_a_signup_goes_on_where_the_schema_is_newer_already(service: Service, table: str) -> None:
    """As while an upgrade is under way: the functions are replaced, and this version hands over what it knows."""
    with service.database.writer.begin() as connection:
        connection.execute(text(f"ALTER TABLE {table} ADD COLUMN colour text NOT NULL DEFAULT 'green'"))
        signup_functions.replace(connection)
    assert service.subscribe().status_code == 202
    assert {row.colour for row in service.rows(f"SELECT colour FROM {table}")} == {"green"}


def test_of_two_time_stamps_for_one_checkpoint_the_first_is_kept_and_any_other_fault_is_told(service: Service) -> None:
    service.subscribe()
    service.work()
    (checkpoint,) = service.rows("SELECT size FROM checkpoints")
    for response in (b"first", b"second"):
        with service.database.transaction() as session:
            anchors.keep(session, Anchor(size=checkpoint.size, **answer(response)))
    assert [bytes(row.response) for row in service.rows("SELECT response FROM anchors")] == [b"first"]
    with pytest.raises(IntegrityError), service.database.transaction() as session:
        anchors.keep(session, Anchor(size=99, **answer(b"of nothing")))


def answer(response: bytes) -> dict[str, Any]:
    return {"authority": "https://time.example", "response": response, "obtained_at": clock.now()}
