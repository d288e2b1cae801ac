"""Migrations: they make what the models say, one process at a time, and keep what was there before."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, inspect, text
from sqlalchemy.exc import DBAPIError

from app import clock, consent, event_macs
from app import database as databases
from app.consent import Act, Actor, EventType, Step
from app.database import Base, Database, schema
from app.ledger.log import Log, checkpoint_at
from app.newsletters import load
from app.resources import resources_of
from app.web.application import create_app
from app.worker.sealer import Sealer
from config import Settings
from migrations import signup_functions
from tests.catalogues import CATALOGUE
from tests.commands import Jawel, environment
from tests.concurrency import at_once
from tests.rows import EVENT, rows

LIFTED = "suppression.lifted"

AT = "'2026-11-23T20:00:00.000+00:00'"
PENDING = (
    "INSERT INTO newsletters (slug, terms) VALUES ('weekly', '{}')",
    f"""INSERT INTO subscribers (id, address, canonical, digest, language, commitment_key, created_at) VALUES (
        '00000000000000000000000000000002', 'ada@example.org', 'ada@example.org', 'aa', 'nl', 'bb', {AT}
    )""",
    f"""INSERT INTO letters (id, kind, subscriber_id, language, about, state, created_at, due_at, attempts, state_at)
    VALUES (
        '00000000000000000000000000000004', 'confirmation', '00000000000000000000000000000002', 'nl', '{{}}', 'sent',
        {AT}, {AT}, 1, {AT}
    )""",
    f"""INSERT INTO subscriptions
        (id, subscriber_id, newsletter, status, since, version, nonce, letter_id, asked_at, expires_at)
    VALUES (
        '00000000000000000000000000000003', '00000000000000000000000000000002', 'weekly', 'pending', {AT}, 1, 'n',
        '00000000000000000000000000000004', {AT}, {AT}
    )""",
)
"""Somebody who was sent a confirmation letter, as of migration 0013."""


def test_the_migrations_make_exactly_what_the_models_say(database: Database) -> None:
    with database.transaction() as session:
        command.check(schema.alembic_config(session.connection()))


def test_every_column_and_constraint_is_the_same_whether_migrated_or_made_from_the_models(
    database: Database, empty_database_url: str
) -> None:
    """Beyond what Alembic compares: CHECK constraints, conditions of indexes, and the names of all of them."""
    with opened(empty_database_url) as made:
        Base.metadata.create_all(made.writer)
        assert described(database.writer) == described(made.writer)


@pytest.mark.parametrize("engine", ["postgresql"], indirect=True)
def test_the_function_that_writes_a_signup_knows_every_column(database: Database) -> None:
    """Alembic compares no functions: one that forgot a column would lose what is written there."""
    functions = text("SELECT proname, prosrc FROM pg_proc WHERE proname LIKE '%_signup' ORDER BY proname")
    with database.writer.connect() as connection:
        before = connection.execute(functions).all()
        signup_functions.replace(connection)
        assert connection.execute(functions).all() == before, "the newest migration has to replace them"
    assert [row.proname for row in before] == ["record_signup"]


def described(engine: Engine) -> dict[str, list[str]]:
    inspector = inspect(engine)
    found = {}
    for table in sorted({*inspector.get_table_names()} - {"alembic_version"}):
        parts: list[Any] = [
            *inspector.get_columns(table),
            *inspector.get_check_constraints(table),
            *inspector.get_foreign_keys(table),
            *inspector.get_indexes(table),
            *inspector.get_unique_constraints(table),
            inspector.get_pk_constraint(table),
        ]
        found[table] = sorted(repr({**part, "dialect_options": conditions(part)}) for part in parts)
    return found


def conditions(part: Any) -> dict[str, str]:
    return {name: str(value) for name, value in part.get("dialect_options", {}).items()}


def test_migrations_are_numbered_without_gaps_and_lead_to_one_head(database: Database) -> None:
    with database.read_only() as connection:
        scripts = ScriptDirectory.from_config(schema.alembic_config(connection))
    revisions = [script.revision for script in scripts.walk_revisions()]
    assert scripts.get_heads() == [schema.head_revision()]
    assert sorted(revisions) == [f"{number:04d}" for number in range(1, len(revisions) + 1)]


@pytest.mark.parametrize("path", sorted((schema.MIGRATIONS / "versions").glob("*.py")), ids=lambda path: path.stem)
def test_a_migration_says_why_and_cannot_be_taken_back(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    assert re.match(r'"""[A-Z][^"]{20,}"""', source)
    assert f'revision = "{path.stem[:4]}"' in source
    assert "def downgrade" not in source


def test_of_several_hosts_that_migrate_at_once_one_does_it_and_all_succeed(
    settings: Settings, empty_database_url: str, tmp_path: Path
) -> None:
    jawel = Jawel(environment(replace(settings, database_url=empty_database_url)), tmp_path)

    def migrate() -> str:
        """Again for as long as it is told to: on a busy machine the one that migrates takes its time."""
        while True:
            with jawel.started("migrate") as host:
                said = host.communicate()[0].strip()
            if host.returncode == 0 or "run `jawel migrate` again" not in said:
                return said

    newest = schema.head_revision()
    told = sorted(at_once([migrate] * 4))
    assert told == [f"Migrated the schema from nothing to {newest}.", *[f"The schema is at {newest}."] * 3]


def test_a_migration_that_fails_leaves_nothing_behind(empty_database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(empty_database_url) as empty:
        upgrade = command.upgrade

        def upgrade_and_fail(*arguments: Any) -> None:
            upgrade(*arguments)
            raise RuntimeError("the disk is full")

        monkeypatch.setattr(command, "upgrade", upgrade_and_fail)
        with pytest.raises(RuntimeError, match="disk"):
            schema.migrate(empty)
        monkeypatch.undo()
        assert inspect(empty.writer).get_table_names() == []
        assert schema.migrate(empty) == (None, schema.head_revision())
        assert schema.migrate(empty) == (schema.head_revision(), schema.head_revision())


def test_a_process_takes_no_traffic_before_its_migration(settings: Settings, empty_database_url: str) -> None:
    app = create_app(replace(settings, database_url=empty_database_url))
    database = resources_of(app).database
    assert app.test_client().get("/healthz").status_code == 200
    before = app.test_client().get("/readyz")
    assert (before.status_code, before.json["database"]) == (503, "schema is not current; run `jawel migrate`")
    schema.migrate(database)
    assert app.test_client().get("/readyz").status_code == 200
    with database.writer.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    assert app.test_client().get("/readyz").status_code == 503
    with database.writer.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    assert app.test_client().get("/readyz").status_code == 200, "the version before serves on while the next one starts"
    database.dispose()


@pytest.mark.parametrize("url", ["sqlite:////nowhere/jawel.sqlite", "postgresql://jawel:open-sesame@127.0.0.1:1/jawel"])
@pytest.mark.parametrize("engine", ["sqlite"])
def test_without_a_database_the_process_lives_and_is_not_ready(settings: Settings, url: str) -> None:
    client = create_app(replace(settings, database_url=url)).test_client()
    assert client.get("/healthz").status_code == 200
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json) == (503, {"status": "unavailable", "database": "unreachable"})


@contextmanager
def opened(url: str) -> Iterator[Database]:
    database = databases.connect(url)
    yield database
    database.dispose()


def test_requests_that_lapsed_before_there_were_stubs_get_one(empty_database_url: str) -> None:
    lapsed = EVENT.replace("subscriber_id,", "subscriber_id, subscription_id,").replace(
        "'weekly'", "'00000000000000000000000000000003', 'weekly'"
    )
    with opened(empty_database_url) as database:
        with database.transaction() as session:
            command.upgrade(schema.alembic_config(session.connection()), "0010")
            session.execute(text(lapsed))
        schema.migrate(database)
        (stub,) = rows(database, "stubs")
        assert (str(stub.subscription_id)[-1], stub.newsletter, stub.digest) == ("3", "weekly", None)


def test_a_new_type_of_event_leaves_the_log_and_its_guards_as_they_were(
    settings: Settings, empty_database_url: str
) -> None:
    """Also where entries of the log refer to the events."""
    log = Log.of(settings.log_origin, settings.log_signing_keys)
    with opened(empty_database_url) as database:
        event_macs.attach_keys(database, settings.secret_keys)
        with database.transaction() as session:
            command.upgrade(schema.alembic_config(session.connection()), "0024")
        with database.transaction() as session:
            step = Step(EventType.REQUESTED, uuid4(), uuid4(), "weekly", clock.now())
            consent.record(session, step, Act(Actor.UNVERIFIED, {"method": "web_form"}))
        with pytest.raises(DBAPIError, match="ck_consent_events_type"), database.writer.begin() as connection:
            connection.execute(text(EVENT.replace("1'", "5'", 1).replace("subscription.requested", LIFTED)))
        assert Sealer(database, log).step()
        before = tuple(rows(database, "consent_events")[0]), rows(database, "log_entries")
        schema.migrate(database)
        (event,) = rows(database, "consent_events")
        assert (event[: len(before[0])], rows(database, "log_entries")) == before
        with database.writer.begin() as connection:
            connection.execute(text(EVENT.replace("1'", "5'", 1).replace("subscription.requested", LIFTED)))
        assert len(rows(database, "unsealed_events")) == 1
        with pytest.raises(DBAPIError, match="ck_consent_events_type"), database.writer.begin() as connection:
            connection.execute(text(EVENT.replace("1'", "6'", 1).replace("subscription.requested", "a.guess")))
        with pytest.raises(DBAPIError, match="never changed or deleted"), database.writer.begin() as connection:
            connection.execute(text("DELETE FROM consent_events"))
        if database.writer.dialect.name == "sqlite":
            assert rows(database, "pragma_integrity_check") == [("ok",)]


def test_a_new_kind_of_letter_makes_no_subscription_forget_its_own(empty_database_url: str) -> None:
    with opened(empty_database_url) as database:
        with database.transaction() as session:
            command.upgrade(schema.alembic_config(session.connection()), "0013")
            for statement in PENDING:
                session.execute(text(statement))
        (letter,), subscriptions = rows(database, "letters"), rows(database, "subscriptions")
        schema.migrate(database)
        (letter_after,) = rows(database, "letters")
        assert letter_after._asdict().items() >= letter._asdict().items()
        (subscription,) = rows(database, "subscriptions")
        assert subscription._asdict().items() >= subscriptions[0]._asdict().items()
        with database.writer.begin() as connection:
            connection.execute(text("UPDATE letters SET kind = 'preferences'"))
        with pytest.raises(DBAPIError, match="ck_letters_kind"), database.writer.begin() as connection:
            connection.execute(text("UPDATE letters SET kind = 'advertising'"))


def test_the_controller_of_a_catalogue_from_before_is_cited_from_the_first_signup_on(empty_database_url: str) -> None:
    with opened(empty_database_url) as database:
        with database.transaction() as session:
            command.upgrade(schema.alembic_config(session.connection()), "0032")
            who = {"terms": json.dumps(CATALOGUE["controller"])}
            session.execute(text("INSERT INTO controllers (id, terms) VALUES (1, :terms)"), who)
            session.execute(
                text("INSERT INTO newsletters (slug, terms) VALUES ('weekly', :terms)"),
                {"terms": json.dumps(CATALOGUE["newsletter"][0])},
            )
        schema.migrate(database)
        with database.read_only() as connection:
            weekly = load.catalogue(connection).newsletters["weekly"]
        (kept,) = rows(database, "wordings")
        assert weekly.wording_digests("en")["controller"] == kept.sha256
        assert json.loads(kept.text)["name"] == "Voorbeeld BV"


def test_checkpoints_from_before_they_had_a_time_stay_published_and_unchanged(empty_database_url: str) -> None:
    with opened(empty_database_url) as database:
        with database.transaction() as session:
            command.upgrade(schema.alembic_config(session.connection()), "0020")
            session.execute(
                text("INSERT INTO checkpoints (size, root, note) VALUES (3, :root, 'note')"), {"root": bytes(32)}
            )
        schema.migrate(database)
        with database.read_only() as connection:
            found = checkpoint_at(connection, datetime(2026, 11, 23, tzinfo=UTC))
        assert found is not None
        assert (found.size, found.note) == (3, "note")
        for statement in ("UPDATE checkpoints SET signed_at = signed_at", "DELETE FROM checkpoints"):
            with pytest.raises(DBAPIError, match="never changed or deleted"), database.writer.begin() as connection:
                connection.execute(text(statement))


def test_soft_bounces_of_before_count_by_their_code(empty_database_url: str) -> None:
    received = "('{code}', 'digest', '{kind}', 'dsn', '{code}', '2026-11-25T00:00:00.000+00:00')"
    codes = {"": True, "550": True, "5.2.2": True, "550 5.2.2": True, "4.4.1": True}
    codes |= {"5.1.8": False, "5.3.4": False, "550 5.7.1": False, "5.7.14": False}
    columns = "(fingerprint, digest, kind, source, code, received_at)"
    with opened(empty_database_url) as database:
        with database.transaction() as session:
            command.upgrade(schema.alembic_config(session.connection()), "0028")
            for code in codes:
                values = received.format(code=code, kind="soft_bounce")
                session.execute(text(f"INSERT INTO feedback_reports {columns} VALUES {values}"))
        schema.migrate(database)
        assert {row.code: bool(row.counts) for row in rows(database, "feedback_reports")} == codes
