"""Hot statements skip most of SQLAlchemy: where a connection is lost they give up as much as any other statement."""

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack

import psycopg
import pytest
from sqlalchemy import Connection, Engine, delete, select, text
from sqlalchemy.exc import DBAPIError

from app.abuse.rate_limit import RateLimit
from app.database import Database
from app.database.prepared import PreparedStatement

pytestmark = pytest.mark.parametrize("engine", ["postgresql"])
WAITING = 3
READS = PreparedStatement(select(RateLimit.key))
WRITES = PreparedStatement(delete(RateLimit).returning(RateLimit.key))
Opens = Callable[[], AbstractContextManager[Connection]]


def fill(engine: Engine, then: str = "SELECT 1") -> None:
    """Leave connections waiting in the pool, each of which has run a statement."""
    with ExitStack() as taken:
        for _ in range(WAITING):
            taken.enter_context(engine.connect()).execute(text(then))


def answers(opens: Opens, statement: PreparedStatement) -> list[bool]:
    """Whether one was answered that came alone, and then each of several that come at once."""
    with opens() as connection:
        found = [is_answered(connection, statement)]
    with ExitStack() as taken:
        at_once = [taken.enter_context(opens()) for _ in range(WAITING)]
        return found + [is_answered(connection, statement) for connection in at_once]


def is_answered(connection: Connection, statement: PreparedStatement) -> bool:
    try:
        return statement.run(connection, {}) == []
    except DBAPIError:
        return False


def serves(engine: Engine) -> object:
    with engine.connect() as connection:
        return connection.scalar(text("SELECT pg_backend_pid()"))


@pytest.mark.parametrize("pool", ["reader", "writer"])
def test_connections_that_are_lost_cost_one_answer_however_many_they_are(
    database: Database, database_url: str, pool: str
) -> None:
    fill(database.reader)
    fill(database.writer)
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    opens = {"reader": database.read_only, "writer": database.single_statement}
    assert answers(opens[pool], READS) == [False, *[True] * WAITING]
    assert answers(opens["writer" if pool == "reader" else "reader"], READS) == [True] * (WAITING + 1)


def test_one_that_meets_a_standby_makes_both_pools_look_for_the_primary(database: Database) -> None:
    fill(database.writer, "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY")
    fill(database.reader)
    before = serves(database.reader)
    assert answers(database.single_statement, WRITES) == [False, *[True] * WAITING]
    assert serves(database.reader) != before
