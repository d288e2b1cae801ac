"""Rebuilds the tree from the log entries, and checks each leaf, node and checkpoint against the stored ones."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from sqlalchemy import Connection, select

from app.consent import ConsentEvent
from app.ledger.audit.stored import counted, raw, stream, unhex
from app.ledger.audit.times import Times
from app.ledger.log import Log, introduced, verification_keys
from app.ledger.model import LogEntry, LogKey, SignedCheckpoint, TreeNode
from app.ledger.tree import Edge, Node
from app.ledger.verifier import Checkpoint, Refuted, decode, leaf_hash, open_note


def check(connection: Connection, log: Log, seen: Callable[[int], None]) -> Iterator[str]:
    edge = Edge(0, {})
    with (
        stream(connection, _ENTRIES) as entries,
        stream(connection, _NODES) as stored_nodes,
        stream(connection, _HEADS) as stored_heads,
    ):
        nodes = Nodes(stored_nodes)
        heads, times = Checkpoints(stored_heads, log.origin, Keys(connection, log)), Times()
        for entry in counted(entries, seen):
            if entry.position != edge.size:
                yield f"position {edge.size}: it is missing, and what follows is void; the next is {entry.position}"
                break
            if wrong := _leaf(entry):
                yield f"position {entry.position}: {wrong}"
            yield from times.compare(entry)
            for node, computed in edge.extend([entry.leaf]):
                yield from nodes.compare(node, computed)
            yield from heads.compare(edge)
        yield from times.rest()
        yield from nodes.rest()
        yield from heads.rest(edge.size)


def _leaf(entry: Any) -> str | None:
    if entry.evidence_hash is None:
        return f"its event {entry.event_id} is gone"
    data = unhex(entry.evidence_hash)
    if data is None or leaf_hash(data) != entry.leaf:
        return f"its leaf is not that of event {entry.event_id}: the hash of the event or the leaf was changed"
    return None


class Nodes:
    """Compares the stored nodes, in the order in which they become complete, with the computed ones."""

    def __init__(self, stored: Iterable[Any]) -> None:
        self._stream = iter(stored)
        self._next = next(self._stream, None)

    def compare(self, node: Node, computed: bytes) -> Iterator[str]:
        at = ((node.number + 1) << node.level, node.level)
        while (stored := self._next) and (stored.complete_at, stored.level) < at:
            yield from self._surplus()
        if not stored or Node(stored.level, stored.number) != node:
            yield f"node {node.number} of level {node.level}: it is missing, so proofs that need it cannot be given"
            return
        if stored.hash != computed:
            yield f"node {node.number} of level {node.level}: it is not the hash of the two below it"
        self._next = next(self._stream, None)

    def rest(self) -> Iterator[str]:
        while self._next:
            yield from self._surplus()

    def _surplus(self) -> Iterator[str]:
        assert self._next
        yield f"node {self._next.number} of level {self._next.level}: no such node belongs to the log"
        self._next = next(self._stream, None)


class Checkpoints:
    """Compares the stored checkpoints, by size, with the tree at that size."""

    def __init__(self, stored: Iterable[Any], origin: str, keys: "Keys") -> None:
        self._stream = iter(stored)
        self._next = next(self._stream, None)
        self._origin = origin
        self._keys = keys
        self._last_size = 0
        self._last_note = ""

    def compare(self, edge: Edge) -> Iterator[str]:
        while (head := self._next) and head.size == edge.size:
            for wrong in self._wrong(head, edge.root):
                yield f"checkpoint {head.size}: {wrong}"
            self._last_size, self._last_note = head.size, head.note
            self._next = next(self._stream, None)

    def rest(self, size: int) -> Iterator[str]:
        if size and self._last_size < size and not self._next:
            yield f"checkpoint {self._last_size}: the log goes on to {size} entries, but no checkpoint was signed there"
        # Its root covers all earlier entries; and a key that is only in the database may be an attacker's.
        if self._last_note and not self._is_ours(self._last_note):
            yield f"checkpoint {self._last_size}: it is the newest, and not signed by a key of LOG_SIGNING_KEY"
        while head := self._next:
            yield f"checkpoint {head.size}: there is no such tree; the log has {size} sound entries"
            self._next = next(self._stream, None)
        yield from self._keys.findings()

    def _is_ours(self, note: str) -> bool:
        try:
            return bool(open_note(note, self._keys.ours))
        except (Refuted, ValueError):
            return False

    def _wrong(self, head: Any, root: bytes) -> Iterator[str]:
        try:
            signed = Checkpoint.parse(open_note(head.note, self._keys.known))
        except (Refuted, ValueError) as error:
            yield f"it does not verify: {error}"
            return
        if not self._keys.meet(head):
            yield "it bears a signature by a key that is not known"
        if (signed.size, signed.root) != (head.size, head.root) or signed.origin != self._origin:
            yield "what was signed is not what is stored beside it: another size, root or origin"
        if signed.root != root:
            yield "it was signed over another tree than the one that is stored"


class Keys:
    """Compares the keys that have signed with the stored keys."""

    def __init__(self, connection: Connection, log: Log) -> None:
        self.ours = [signer.key for signer in log.signers]
        self.known = verification_keys(connection, log)
        self._stored = connection.execute(_KEYS).all()
        self._first_signed: dict[str, int] = {}

    def meet(self, head: Any) -> bool:
        """Record the signers of a checkpoint that verifies. False if a signature is by an unknown key."""
        known = {(key.name, key.id): str(key) for key in self.known}
        lines = [line.split(" ") for line in head.note.rpartition("\n\n")[2].splitlines()]
        signers = [known.get((name, decode(signature)[:4])) for _dash, name, signature in lines]
        for signer in filter(None, signers):
            self._first_signed.setdefault(signer, head.size)
        return all(signers)

    def findings(self) -> Iterator[str]:
        by_line = {str(key): key for key in self.known}
        for row in self._stored:
            try:
                introduced(row, by_line[row.verification_key])
            except (KeyError, Refuted, ValueError):
                yield f"key {row.verification_key}: neither the settings nor a key that they name has introduced it so"
            if self._first_signed.get(row.verification_key) != row.since_size:
                yield f"key {row.verification_key}: it did not first sign at size {row.since_size}, as is stored"
        for line in self._first_signed.keys() - {row.verification_key for row in self._stored}:
            yield f"key {line}: it has signed, but is not among the published keys"


_ENTRIES = (
    select(
        LogEntry.position,
        raw(LogEntry.event_id),
        LogEntry.leaf,
        ConsentEvent.evidence_hash,
        raw(ConsentEvent.occurred_at),
        (ConsentEvent.evidence.is_(None) & ConsentEvent.erased_by.is_not(None)).label("is_dated_by_day"),
    )
    .outerjoin(ConsentEvent, ConsentEvent.id == LogEntry.event_id)
    .order_by(LogEntry.position)
)
_complete_at = (TreeNode.number + 1).op("<<")(TreeNode.level)
_NODES = select(_complete_at.label("complete_at"), TreeNode.level, TreeNode.number, TreeNode.hash).order_by(
    _complete_at, TreeNode.level, TreeNode.number
)
_HEADS = select(SignedCheckpoint.size, SignedCheckpoint.root, SignedCheckpoint.note).order_by(SignedCheckpoint.size)
_KEYS = select(LogKey.__table__)
