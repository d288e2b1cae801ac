"""Proofs from what is stored: a few dozen rows each, however long the log is."""

import json
from collections.abc import Mapping, Sequence
from functools import cache
from uuid import UUID

from sqlalchemy import Connection, case, func, select

from app import rows
from app.ledger import tree
from app.ledger.anchors import Anchor
from app.ledger.log import LogIsInconsistent
from app.ledger.model import LogEntry, SignedCheckpoint, TreeNode
from app.ledger.tree import Hashes, Node
from app.ledger.verifier import InclusionProof
from app.statements import HotStatement


def inclusion(connection: Connection, event_ids: Sequence[UUID]) -> Mapping[UUID, InclusionProof]:
    """By event, under the first anchored checkpoint that holds it, else the newest. What is not sealed is left out."""
    sealed = connection.execute(_POSITIONS.where(LogEntry.event_id.in_(event_ids))).all()
    spans = {each.position: tree.inclusion_spans(each.position, each.size) for each in sealed}
    hashes = look_up(
        connection, [node for each in spans.values() for span in each for node in tree.complete_nodes(span)]
    )
    proofs = {}
    for each in sealed:
        path = tuple(tree.span_hash(span, hashes) for span in spans[each.position])
        proofs[each.event_id] = InclusionProof(each.position, path, each.note)
    return proofs


def consistency(connection: Connection, older: int, newer: int) -> list[bytes]:
    """That the log of `older` leaves is the beginning of the one of `newer` leaves, which has been signed."""
    return tree.proof(tree.consistency_spans(older, newer), lambda nodes: look_up(connection, nodes))


def look_up(connection: Connection, nodes: Sequence[Node]) -> Hashes:
    """Raises LogIsInconsistent where one is missing."""
    wanted = set(nodes)
    if not wanted:
        return {}
    asked = json.dumps([{"level": node.level, "number": node.number} for node in wanted])
    found = _nodes(connection.dialect.name).run(connection, {"nodes": asked})
    hashes = {Node(row.level, row.number): bytes(row.hash) for row in found if row.hash is not None}
    if missing := min(wanted - hashes.keys(), default=None):
        raise LogIsInconsistent(f"node {missing.number} of level {missing.level} is missing")
    return hashes


@cache
def _nodes(dialect: str) -> HotStatement:
    # Subqueries, not joins: a planner that knows little of the table might read all of it to join.
    asked = rows.records("nodes", dialect, [TreeNode.level, TreeNode.number])
    level, number = asked.c.level, asked.c.number
    leaf = select(LogEntry.leaf).where(LogEntry.position == number).scalar_subquery()
    inner = select(TreeNode.hash).where(TreeNode.level == level, TreeNode.number == number).scalar_subquery()
    return HotStatement(select(level, number, case((level == 0, leaf), else_=inner).label("hash")))


_newest = select(func.max(SignedCheckpoint.size)).scalar_subquery()
_anchored = select(func.min(Anchor.size)).where(Anchor.size > LogEntry.position).scalar_subquery()
# Entries and their checkpoint come to be in one transaction, and are read in one statement.
_POSITIONS = select(LogEntry.event_id, LogEntry.position, SignedCheckpoint.size, SignedCheckpoint.note).join(
    SignedCheckpoint, SignedCheckpoint.size == func.coalesce(_anchored, _newest)
)
