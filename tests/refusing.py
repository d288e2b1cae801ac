"""Databases that refuse to be written to: as a whole, or in one table."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, event

from tests.service import Service

READ_ONLY = {"sqlite": "PRAGMA query_only=ON", "postgresql": "SET default_transaction_read_only TO on"}
REFUSE = {
    "sqlite": [
        f"CREATE TRIGGER refuse_{verb} BEFORE {verb} ON {{table}} BEGIN SELECT RAISE(ABORT, 'not today'); END"
        for verb in ("INSERT", "UPDATE", "DELETE")
    ],
    "postgresql": [
        "CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql "
        "AS 'BEGIN RAISE EXCEPTION ''not today''; END'",
        "CREATE TRIGGER refuse BEFORE INSERT OR UPDATE OR DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION refuse()",
    ],
}
ALLOW = {
    "sqlite": [f"DROP TRIGGER refuse_{verb}" for verb in ("INSERT", "UPDATE", "DELETE")],
    "postgresql": ["DROP TRIGGER refuse ON {table}"],
}
REFUSE_EVIDENCE = {
    "sqlite": """CREATE TRIGGER refuse BEFORE INSERT ON consent_events
        BEGIN SELECT RAISE(ABORT, 'no evidence today'); END""",
    "postgresql": """CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql
        AS 'BEGIN RAISE EXCEPTION ''no evidence today''; END';
        CREATE TRIGGER refuse BEFORE INSERT ON consent_events FOR EACH ROW EXECUTE FUNCTION refuse()""",
}

REFUSE_EVENTS_ABOUT = {
    "sqlite": [
        """CREATE TRIGGER refuse BEFORE INSERT ON consent_events
        WHEN NEW.newsletter = '{newsletter}' AND NEW.type = 'letter.accepted'
        BEGIN SELECT RAISE(ABORT, 'not this one'); END"""
    ],
    "postgresql": [
        """CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql
        AS 'BEGIN RAISE EXCEPTION ''not this one'' USING ERRCODE = ''check_violation''; END'""",
        """CREATE TRIGGER refuse BEFORE INSERT ON consent_events FOR EACH ROW
        WHEN (NEW.newsletter = '{newsletter}' AND NEW.type = 'letter.accepted') EXECUTE FUNCTION refuse()""",
    ],
}


def refuse_acceptance_of(service: Service, newsletter: str) -> None:
    """From here on no letter about that newsletter can be recorded as accepted."""
    with service.database.writer.begin() as connection:
        for statement in REFUSE_EVENTS_ABOUT[service.database.writer.dialect.name]:
            connection.exec_driver_sql(statement.format(newsletter=newsletter))


@contextmanager
def refusing_writes(service: Service) -> Iterator[None]:
    """From here on the database takes no write from either pool."""

    def refuse(connection: Any, _record: object) -> None:
        cursor = connection.cursor()
        cursor.execute(READ_ONLY[service.database.writer.dialect.name])
        cursor.close()

    engines: list[Engine] = [service.database.writer, service.database.reader]
    for engine in engines:
        engine.dispose()
        event.listen(engine, "connect", refuse)
    try:
        yield
    finally:
        for engine in engines:
            event.remove(engine, "connect", refuse)
            engine.dispose()


@contextmanager
def refusing(service: Service, table: str) -> Iterator[None]:
    """From here on no row of the table is written, by whatever statement."""
    engine = service.database.writer.dialect.name
    for statements in (REFUSE, ALLOW):
        with service.database.writer.begin() as connection:
            for statement in statements[engine]:
                connection.exec_driver_sql(statement.format(table=table))
        if statements is REFUSE:
            yield
