"""The log of a service under test: filled without going through HTTP, and checked as a stranger would."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from uuid import UUID, uuid4

from sqlalchemy import Connection, create_engine, insert, select, text, update

from app import clock, consent
from app.consent import Act, Actor, ConsentEvent, EventType, Step
from app.database import Database
from app.ledger import audit, proofs, sealing
from app.ledger.log import Log, newest_checkpoint
from app.ledger.model import LogEntry
from app.ledger.verifier import Checkpoint, Key, evidence_hash, leaf_hash, open_note
from app.privacy import tombstones
from app.privacy.tombstones import ErasedSubscription, ErasureReason
from app.resources import resources_of
from tests.service import Service


def write_events(database: Database, number: int) -> list[UUID]:
    act = Act(Actor.SERVICE, {"method": "test"})
    steps = [Step(EventType.REQUESTED, uuid4(), uuid4(), "weekly", clock.now()) for _ in range(number)]
    with database.transaction() as session:
        rows = [consent.row(session.connection(), step, act) for step in steps]
        session.execute(insert(ConsentEvent), rows)
    return [row["id"] for row in rows]


def seal(database: Database, log: Log, at_most: int = 1000) -> int:
    with database.transaction() as session:
        return sealing.seal(session, log, at_most).sealed


def grow(service: Service, sizes: Sequence[int]) -> None:
    """A log with a checkpoint at each of the sizes, which ascend."""
    size = service.counts()["log_entries"]
    for each in sizes:
        write_events(service.database, each - size)
        assert seal(service.database, log_of(service)) == each - size
        size = each


def erase(service: Service, **forged: str) -> None:
    """Blank the first event, and say so in a tombstone, as versions before migration 0035 did."""
    with service.database.transaction() as session:
        event = session.scalars(
            update(ConsentEvent)
            .where(ConsentEvent.id == select(LogEntry.event_id).where(LogEntry.position == 0).scalar_subquery())
            .values(evidence=None, salt=None)
            .returning(ConsentEvent)
        ).one()
        named: dict[str, str | None] = {
            "event": str(event.id),
            "type": event.type,
            "occurred_at": consent.timestamp(event.occurred_at),
            "subscription": str(event.subscription_id),
            "newsletter": event.newsletter,
        }
        assert event.subscription_id
        assert event.newsletter
        step = consent.Step(EventType.ERASED, event.subscriber_id, event.subscription_id, event.newsletter, clock.now())
        consent.record(session, step, Act(Actor.CONTROLLER, {"erased": [{**named, **forged}], "reason": "request"}))


def bury(service: Service, position: int) -> None:
    """Erase the subscription of the event at that position, as the service does."""
    with service.database.transaction() as session:
        event = session.scalars(
            select(ConsentEvent)
            .join(LogEntry, LogEntry.event_id == ConsentEvent.id)
            .where(LogEntry.position == position)
        ).one()
        assert event.subscriber_id
        assert event.subscription_id
        assert event.newsletter
        grave = ErasedSubscription(event.subscriber_id, event.subscription_id, event.newsletter)
        tombstones.bury(session, [grave], ErasureReason.REQUEST, Act(Actor.CONTROLLER, {"method": "api:shop"}))


def log_of(service: Service) -> Log:
    return resources_of(service.app).log


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


def audited(service: Service) -> list[str]:
    with audit.snapshot(service.database) as connection:
        return list(audit.findings(connection, log_of(service), lambda _rows: None))


@contextmanager
def without_triggers(database: Database) -> Iterator[Connection]:
    """A transaction of somebody who may do anything to the database. Once it is committed the guards are back."""
    if database.writer.dialect.name == "postgresql":
        with database.transaction() as session:
            session.execute(text("SET LOCAL session_replication_role = replica"))
            yield session.connection()
        return
    theirs = create_engine(database.writer.url)  # SQLite looks after foreign keys only where it is told to.
    theirs.update_execution_options(**database.writer.get_execution_options())
    with theirs.begin() as connection:
        guards = connection.execute(text("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")).all()
        for guard in guards:
            connection.execute(text(f"DROP TRIGGER {guard.name}"))
        yield connection
        for guard in guards:
            connection.exec_driver_sql(guard.sql)
    theirs.dispose()
