"""Sealing: gives events their position in the log, extends the tree, and signs its new head.

Invariant: one transaction, one sealer at a time, and only on top of a head that was signed here and still matches the
stored log. So a sealer may crash at any point, and the next continues from the last signed head.

An event whose MAC is not ours is set aside, and the others get their positions without it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, bindparam, delete, func, insert, select
from sqlalchemy.orm import Session

from app import clock, event_macs
from app.consent import ConsentEvent
from app.database import AnyRow, json_insert
from app.database.locks import AdvisoryLock, try_lock
from app.ledger import proofs, refused, signing
from app.ledger.log import Log, LogIsInconsistent, introduce, newest_checkpoint, verification_keys
from app.ledger.model import LogEntry, LogKey, SignedCheckpoint, TreeNode, UnsealedEvent
from app.ledger.tree import EMPTY_ROOT, Edge, Span, complete_nodes
from app.ledger.verifier import Checkpoint, Refuted, leaf_hash, open_note

COUNTED = 100_000
"""Counting of unsealed events stops here. A service has this many only if sealing has been failing for long."""


@dataclass(frozen=True, slots=True)
class Waiting:
    events: int
    since: datetime | None
    """When the first of them happened; None if no event waits."""
    refused: int
    """Events that were set aside, which are not in `events`."""


def is_due(connection: Connection) -> bool:
    """Whether events wait. Called often, so it does not take the sealing lock."""
    return connection.execute(_WAITING).first() is not None


def are_waiting(connection: Connection, *, more_than: int) -> bool:
    return connection.execute(_WAITING_BEYOND, {"others": more_than}).first() is not None


def waiting(connection: Connection) -> Waiting:
    since = connection.scalar(_WAITING_SINCE)
    events, aside = connection.execute(_COUNTS, {"at_most": COUNTED}).one()
    return Waiting(events, since, aside)


@dataclass(frozen=True, slots=True)
class Batch:
    sealed: int
    refused: tuple[UUID, ...] = ()
    """Ids of the events that were set aside."""


def seal(session: Session, log: Log, at_most: int = 1000) -> Batch:
    """Seal the oldest events under one checkpoint, except those that are not ours; none if another sealer is active.

    Raises LogIsInconsistent, and signs nothing, if the log does not match the newest checkpoint.
    """
    connection = session.connection()
    if not try_lock(connection, AdvisoryLock.SEALING):
        return Batch(0)
    events = connection.execute(_OLDEST, {"at_most": at_most}).all()
    ours, others = _split_by_mac(connection, events)
    if others:
        refused.set_aside(connection, others, clock.now())
    if ours:
        edge = _signed_edge(connection, log)
        _append(connection, edge, ours)
        _sign(connection, log, edge)
    return Batch(len(ours), tuple(each.event_id for each in others))


def _split_by_mac(connection: Connection, events: Sequence[AnyRow]) -> tuple[list[AnyRow], list[AnyRow]]:
    """Events that this application wrote, by their MAC; and the rest."""
    keys = event_macs.of(connection)
    told: tuple[list[AnyRow], list[AnyRow]] = ([], [])
    for event in events:
        told[not keys.fit(event.mac, event.event_id, event.evidence_hash)].append(event)
    return told


def _signed_edge(connection: Connection, log: Log) -> Edge:
    """The right edge of the tree, verified against the newest checkpoint. Raises LogIsInconsistent."""
    newest = newest_checkpoint(connection)
    size, root = _check(log, newest) if newest else (0, EMPTY_ROOT)
    last = connection.scalar(select(func.max(LogEntry.position)))
    entries = 0 if last is None else last + 1
    if entries != size:
        raise LogIsInconsistent(f"the newest checkpoint speaks of {size} entries, but the last is number {entries}")
    edge = Edge(size, proofs.look_up(connection, complete_nodes(Span(0, size))))
    if edge.root != root:
        raise LogIsInconsistent(f"the tree of {size} entries does not have the root that was signed")
    return edge


def _check(log: Log, stored: SignedCheckpoint) -> tuple[int, bytes]:
    """Trusts only the keys of the settings: an attacker who can write a checkpoint can also write a key."""
    try:
        signed = Checkpoint.parse(open_note(stored.note, [signer.key for signer in log.signers]))
    except Refuted as error:
        raise LogIsInconsistent(
            f"the checkpoint of size {stored.size} does not verify: {error}. "
            "Where LOG_SIGNING_KEY was changed, put the key before behind the new one"
        ) from None
    if signed.origin != log.origin:
        raise LogIsInconsistent(f"the log is that of {signed.origin}, but LOG_ORIGIN is {log.origin}")
    if (signed.size, signed.root) != (stored.size, stored.root):
        raise LogIsInconsistent(f"the checkpoint of size {stored.size} is stored beside another size or root")
    return signed.size, signed.root


def _append(connection: Connection, edge: Edge, events: Sequence[AnyRow]) -> None:
    leaves = [leaf_hash(bytes.fromhex(event.evidence_hash)) for event in events]
    entries = [
        {"position": position, "event_id": event.event_id, "leaf": leaf}
        for position, (event, leaf) in enumerate(zip(events, leaves, strict=True), edge.size)
    ]
    nodes = [{"level": node.level, "number": node.number, "hash": found} for node, found in edge.extend(leaves)]
    json_insert.insert_all(connection, LogEntry, entries)
    json_insert.insert_all(connection, TreeNode, nodes)
    connection.execute(_SEALED, {"numbers": [event.number for event in events]})


def _sign(connection: Connection, log: Log, edge: Edge) -> None:
    newest, *others = log.signers
    signed_before = connection.scalars(_KEYS).all()
    is_new = str(newest.key) not in signed_before
    # At a hand-over the previous key co-signs.
    before = [each for each in others if is_new and signed_before and str(each.key) == signed_before[0]]
    note = signing.sign(str(Checkpoint(log.origin, edge.size, edge.root)), [newest, *before])
    values = {"size": edge.size, "root": edge.root, "note": note, "signed_at": _now(connection)}
    connection.execute(insert(SignedCheckpoint), values)
    if is_new:
        former = [key for key in verification_keys(connection, log) if str(key) in signed_before]
        values = {"verification_key": str(newest.key), "since_size": edge.size}
        connection.execute(insert(LogKey), {**values, "introduction": introduce(newest, edge.size, former)})


def _now(connection: Connection) -> datetime:
    """Now, or the newest checkpoint's time if the clock was set back: a larger checkpoint is never earlier."""
    return max(clock.now(), connection.scalar(_SIGNED_AT) or clock.now())


_WAITING = select(UnsealedEvent.number).limit(1)
_WAITING_BEYOND = _WAITING.offset(bindparam("others"))
_COUNTS = select(
    select(func.count()).select_from(_WAITING.limit(bindparam("at_most")).subquery()).scalar_subquery(),
    refused.COUNT.scalar_subquery(),
)
_WAITING_SINCE = (
    select(ConsentEvent.occurred_at)
    .join(UnsealedEvent, UnsealedEvent.event_id == ConsentEvent.id)
    .order_by(UnsealedEvent.number)
    .limit(1)
)
_OLDEST = (
    select(
        UnsealedEvent.number,
        UnsealedEvent.event_id,
        ConsentEvent.evidence_hash,
        func.coalesce(UnsealedEvent.mac, ConsentEvent.mac).label("mac"),
    )
    .join(ConsentEvent, ConsentEvent.id == UnsealedEvent.event_id)
    .order_by(UnsealedEvent.number)
    .limit(bindparam("at_most"))
)
# By individual number, not by range: a lower number may still be uncommitted, or committed since.
_SEALED = delete(UnsealedEvent).where(UnsealedEvent.number.in_(bindparam("numbers", expanding=True)))
_SIGNED_AT = select(SignedCheckpoint.signed_at).order_by(SignedCheckpoint.size.desc()).limit(1)
_KEYS = select(LogKey.verification_key).order_by(LogKey.since_size.desc())
