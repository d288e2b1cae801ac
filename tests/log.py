"""The log of a service under test: filled without going through HTTP, and checked as a stranger would."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from uuid import UUID, uuid4

from sqlalchemy import Connection, insert, text

from app import clock, consent, services
from app.consent import Act, Actor, ConsentEvent, EventType, Step
from app.database import Database
from app.ledger import proofs, sealing
from app.ledger.log import Log, newest_checkpoint
from app.ledger.verifier import Checkpoint, Key, evidence_hash, leaf_hash, open_note
from tests.service import Service


def write_events(database: Database, number: int) -> list[UUID]:
    act = Act(Actor.SERVICE, {"method": "test"})
    steps = [Step(EventType.REQUESTED, uuid4(), uuid4(), "weekly", clock.now()) for _ in range(number)]
    rows = [consent.row(step, act) for step in steps]
    with database.transaction() as session:
        session.execute(insert(ConsentEvent), rows)
    return [row["id"] for row in rows]


def seal(database: Database, log: Log, at_most: int = 1000) -> int:
    with database.transaction() as session:
        return sealing.seal(session, log, at_most)


def grow(service: Service, sizes: Sequence[int]) -> None:
    """A log with a checkpoint at each of the sizes, which ascend."""
    size = service.counts()["log_entries"]
    for each in sizes:
        write_events(service.database, each - size)
        assert seal(service.database, log_of(service)) == each - size
        size = each


def log_of(service: Service) -> Log:
    return services.of(service.app).log


def keys_of(service: Service) -> list[Key]:
    return [signer.key for signer in log_of(service).signers]


def newest(service: Service) -> str:
    """The signed note of the newest checkpoint."""
    with service.database.read_only() as connection:
        found = newest_checkpoint(connection)
    assert found
    return found.note


def check_everything(service: Service, keys: Sequence[Key]) -> list[int]:
    """Prove each event from its evidence; the positions."""
    checkpoint = Checkpoint.parse(open_note(newest(service), keys))
    with service.database.read_only() as connection:
        events = service.rows("SELECT id, evidence, salt FROM consent_events")
        found = proofs.inclusion(connection, [UUID(str(event.id)) for event in events])
    assert len(found) == len(events) == checkpoint.size
    for event in events:
        leaf = leaf_hash(evidence_hash(event.evidence, bytes.fromhex(event.salt)))
        assert found[UUID(str(event.id))].check(leaf, keys) == checkpoint
    return sorted(proof.index for proof in found.values())


@contextmanager
def without_triggers(database: Database) -> Iterator[Connection]:
    """A transaction of somebody who may do anything to the database. Once it is committed the guards are back."""
    with database.transaction() as session:
        connection = session.connection()
        guards: list[str] = []
        if connection.dialect.name == "sqlite":
            found = connection.execute(text("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")).all()
            guards = [each.sql for each in found]
            for each in found:
                connection.execute(text(f"DROP TRIGGER {each.name}"))
            connection.execute(text("PRAGMA defer_foreign_keys=ON"))
        else:
            connection.execute(text("SET LOCAL session_replication_role = replica"))
        yield connection
        for guard in guards:
            connection.exec_driver_sql(guard)
