"""Inclusion and consistency proofs from the stored nodes: each reads a few dozen rows, whatever the log's size."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from itertools import pairwise
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, case, func, select
from sqlalchemy.orm import aliased

from app.database import AnySelect, json_insert
from app.database.prepared import PreparedStatement
from app.ledger import tree
from app.ledger.anchors import Anchor
from app.ledger.log import LogIsInconsistent
from app.ledger.model import LogEntry, SignedCheckpoint, TreeNode
from app.ledger.tree import Hashes, Node
from app.ledger.verifier import InclusionProof


@dataclass(frozen=True, slots=True)
class Growth:
    """A consistency proof: the log of `older` leaves is the beginning of the log of `newer` leaves."""

    older: int
    newer: int
    hashes: tuple[bytes, ...]


def inclusion(
    connection: Connection, event_ids: Sequence[UUID], shown_until: datetime | None = None
) -> Mapping[UUID, InclusionProof]:
    """Proofs by event, under the first anchored checkpoint that includes it, else the newest. Omits unsealed events.

    With `shown_until`, the newest is the newest checkpoint signed by then, or the first that includes all of these
    events: repeated requests then do not reveal how the log grows.
    """
    sealed = connection.execute(_positions(event_ids, shown_until)).all()
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
    """Consistency proof from the log of `older` leaves to the log of `newer` leaves, which has been signed."""
    return tree.proof(tree.consistency_spans(older, newer), lambda nodes: look_up(connection, nodes))


def growth(connection: Connection, sizes: Sequence[int]) -> list[Growth]:
    """`consistency` from each of these sizes, which have been signed, to the next. One database query."""
    ordered = sorted(set(sizes))
    pairs = [*pairwise(ordered)]
    spans = [tree.consistency_spans(older, newer) for older, newer in pairs]
    hashes = look_up(connection, [node for each in spans for span in each for node in tree.complete_nodes(span)])
    return [
        Growth(older, newer, tuple(tree.span_hash(span, hashes) for span in each))
        for (older, newer), each in zip(pairs, spans, strict=True)
    ]


def look_up(connection: Connection, nodes: Sequence[Node]) -> Hashes:
    """Raises LogIsInconsistent if a node is missing."""
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
def _nodes(dialect: str) -> PreparedStatement:
    # Subqueries, not joins: without good statistics the planner might scan the whole table for a join.
    asked = json_insert.records("nodes", dialect, [TreeNode.level, TreeNode.number])
    level, number = asked.c.level, asked.c.number
    leaf = select(LogEntry.leaf).where(LogEntry.position == number).scalar_subquery()
    inner = select(TreeNode.hash).where(TreeNode.level == level, TreeNode.number == number).scalar_subquery()
    return PreparedStatement(select(level, number, case((level == 0, leaf), else_=inner).label("hash")))


def _positions(event_ids: Sequence[UUID], shown_until: datetime | None) -> AnySelect:
    """One statement, because entries and their checkpoint are written in one transaction."""
    anchored = select(func.min(Anchor.size)).where(Anchor.size > LogEntry.position)
    newest: ColumnElement[int] = select(func.max(SignedCheckpoint.size)).scalar_subquery()
    if shown_until is not None:
        newest = _newest_shown(event_ids, shown_until)
        anchored = anchored.where(Anchor.size <= newest)
    size = func.coalesce(anchored.scalar_subquery(), newest)
    columns = LogEntry.event_id, LogEntry.position, SignedCheckpoint.size, SignedCheckpoint.note
    return (
        select(*columns).join(SignedCheckpoint, SignedCheckpoint.size == size).where(LogEntry.event_id.in_(event_ids))
    )


def _newest_shown(event_ids: Sequence[UUID], until: datetime) -> ColumnElement[int]:
    entry, holding, signed = aliased(LogEntry), aliased(SignedCheckpoint), aliased(SignedCheckpoint)
    last = select(func.max(entry.position)).where(entry.event_id.in_(event_ids)).scalar_subquery()
    first = select(func.min(holding.size)).where(holding.size > last).scalar_subquery()
    by_then = select(signed.size).where(signed.signed_at <= until)
    shown = by_then.order_by(signed.signed_at.desc(), signed.size.desc()).limit(1).scalar_subquery()
    return case((shown > first, shown), else_=first)
