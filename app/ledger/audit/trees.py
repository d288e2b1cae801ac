"""The tree grown anew from what the log holds: each leaf, node and checkpoint against what is stored."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, select

from app.consent import ConsentEvent
from app.ledger.audit.stored import counted, raw, stream, unhex
from app.ledger.log import Log
from app.ledger.model import LogEntry, LogKey, SignedCheckpoint, TreeNode
from app.ledger.tree import Edge, Node
from app.ledger.verifier import Checkpoint, Key, Refuted, decode, leaf_hash, open_note


def check(connection: Connection, log: Log, seen: Callable[[int], None]) -> Iterator[str]:
    edge = Edge(0, {})
    with (
        stream(connection, _ENTRIES) as entries,
        stream(connection, _NODES) as stored_nodes,
        stream(connection, _HEADS) as stored_heads,
    ):
        nodes = Nodes(stored_nodes)
        heads = Heads(stored_heads, log, {row.verification_key: row.since_size for row in connection.execute(_KEYS)})
        for entry in counted(entries, seen):
            if entry.position != edge.size:
                yield f"position {edge.size}: it is missing, and what follows is void; the next is {entry.position}"
                break
            if wrong := _leaf(entry):
                yield f"position {entry.position}: {wrong}"
            for node, computed in edge.extend([entry.leaf]):
                yield from nodes.compare(node, computed)
            yield from heads.compare(edge)
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
    """The stored nodes in the order in which they become complete, beside those computed."""

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


class Heads:
    """The stored checkpoints by size, beside the tree as it was then."""

    def __init__(self, stored: Iterable[Any], log: Log, keys: Mapping[str, int]) -> None:
        self._stream = iter(stored)
        self._next = next(self._stream, None)
        self._origin = log.origin
        self._ours = [signer.key for signer in log.signers]
        self._stored_keys = keys
        self._keys = _parsed([*keys], log)
        self._first_signed: dict[str, int] = {}
        self._last_signed_at: Any = None
        self._last_size = 0
        self._last_note = ""

    def compare(self, edge: Edge) -> Iterator[str]:
        while (head := self._next) and head.size == edge.size:
            for wrong in self._wrong(head, edge.root):
                yield f"checkpoint {head.size}: {wrong}"
            self._last_size, self._last_signed_at, self._last_note = head.size, head.signed_at, head.note
            self._next = next(self._stream, None)

    def rest(self, size: int) -> Iterator[str]:
        if size and self._last_size < size and not self._next:
            yield f"checkpoint {self._last_size}: the log goes on to {size} entries, but no checkpoint was signed there"
        # All before it is under its root; and a key that stands in the database only may be anybody's.
        if self._last_note and not self._is_ours(self._last_note):
            yield f"checkpoint {self._last_size}: it is the newest, and not signed by a key of LOG_SIGNING_KEY"
        while head := self._next:
            yield f"checkpoint {head.size}: there is no such tree; the log has {size} sound entries"
            self._next = next(self._stream, None)
        for key, since in self._stored_keys.items():
            if self._first_signed.get(key) != since:
                yield f"key {key}: it did not sign its first checkpoint at size {since}, as is stored"
        for key in self._first_signed.keys() - self._stored_keys.keys():
            yield f"key {key}: it has signed, but is not among the published keys"

    def _is_ours(self, note: str) -> bool:
        try:
            return bool(open_note(note, self._ours))
        except (Refuted, ValueError):
            return False

    def _wrong(self, head: Any, root: bytes) -> Iterator[str]:
        if self._last_signed_at is not None and head.signed_at < self._last_signed_at:
            yield "it is dated before the one before it"
        try:
            signed = Checkpoint.parse(open_note(head.note, self._keys))
        except (Refuted, ValueError) as error:
            yield f"it does not verify: {error}"
            return
        for key in self._signed_by(head.note):
            if key is None:
                yield "it bears a signature by a key that is not known"
            else:
                self._first_signed.setdefault(str(key), head.size)
        if (signed.size, signed.root) != (head.size, head.root) or signed.origin != self._origin:
            yield "what was signed is not what is stored beside it: another size, root or origin"
        if signed.root != root:
            yield "it was signed over another tree than the one that is stored"

    def _signed_by(self, note: str) -> list[Key | None]:
        """Of a note that verifies. What is not ours there was put there by somebody."""
        known = {(key.name, key.id): key for key in self._keys}
        lines = [line.split(" ") for line in note.rpartition("\n\n")[2].splitlines()]
        return [known.get((name, decode(signature)[:4])) for _dash, name, signature in lines]


def _parsed(stored: Sequence[str], log: Log) -> list[Key]:
    """A line that cannot be read is found out by what it did not sign."""
    keys = [signer.key for signer in log.signers]
    for line in stored:
        try:
            key = Key.parse(line)
        except (Refuted, ValueError):
            continue
        if key not in keys and str(key) == line:
            keys.append(key)
    return keys


_ENTRIES = (
    select(LogEntry.position, raw(LogEntry.event_id), LogEntry.leaf, ConsentEvent.evidence_hash)
    .outerjoin(ConsentEvent, ConsentEvent.id == LogEntry.event_id)
    .order_by(LogEntry.position)
)
_complete_at = (TreeNode.number + 1).op("<<")(TreeNode.level)
_NODES = select(_complete_at.label("complete_at"), TreeNode.level, TreeNode.number, TreeNode.hash).order_by(
    _complete_at, TreeNode.level, TreeNode.number
)
_HEADS = select(
    SignedCheckpoint.size, SignedCheckpoint.root, SignedCheckpoint.note, raw(SignedCheckpoint.signed_at)
).order_by(SignedCheckpoint.size)
_KEYS = select(LogKey.verification_key, LogKey.since_size)
