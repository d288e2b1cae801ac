"""The shape of an RFC 6962 Merkle tree: the nodes that a proof needs, and the nodes that new leaves complete.

A complete subtree never changes again; only complete nodes are stored, identified by their level (leaves are level 0)
and their number on it. The incomplete right edge is computed from them each time.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import reduce
from hashlib import sha256
from typing import NamedTuple

from app.ledger.verifier import node_hash

EMPTY_ROOT = sha256(b"").digest()


class Node(NamedTuple):
    level: int
    number: int


class Span(NamedTuple):
    """The leaves from `begin` up to, excluding, `end`. `begin` is aligned as for a subtree of that size."""

    begin: int
    end: int


Hashes = Mapping[Node, bytes]


def complete_nodes(span: Span) -> list[Node]:
    """The largest complete subtrees that together cover the span, from left to right."""
    nodes, begin = [], span.begin
    while begin < span.end:
        level = (span.end - begin).bit_length() - 1
        nodes.append(Node(level, begin >> level))
        begin += 1 << level
    return nodes


def span_hash(span: Span, hashes: Hashes) -> bytes:
    """RFC 6962 section 2.1, from the hashes of the span's complete nodes."""
    found = [hashes[node] for node in reversed(complete_nodes(span))]
    return reduce(lambda right, left: node_hash(left, right), found) if found else EMPTY_ROOT


def inclusion_spans(index: int, size: int) -> list[Span]:
    """Spans whose hashes prove that a leaf is in the tree, from the leaf up (RFC 6962 section 2.1.1)."""
    begin, end = 0, size
    spans = []
    while end - begin > 1:
        middle = begin + _split(end - begin)
        if index < middle:
            spans.append(Span(middle, end))
            end = middle
        else:
            spans.append(Span(begin, middle))
            begin = middle
    return spans[::-1]


def consistency_spans(older: int, newer: int) -> list[Span]:
    """Spans whose hashes prove that the older tree is the beginning of the newer one (RFC 6962 section 2.1.2)."""
    if older in (0, newer):
        return []
    begin, end = 0, newer
    spans = []
    while end != older:
        middle = begin + _split(end - begin)
        if older <= middle:
            spans.append(Span(middle, end))
            end = middle
        else:
            spans.append(Span(begin, middle))
            begin = middle
    # The verifier knows the older root; if that is one complete subtree, the proof omits it.
    return [*([Span(begin, end)] if begin else []), *spans[::-1]]


def proof(spans: Sequence[Span], look_up: Callable[[Sequence[Node]], Hashes]) -> list[bytes]:
    """The spans' hashes, from a single lookup of the stored nodes."""
    hashes = look_up([node for span in spans for node in complete_nodes(span)])
    return [span_hash(span, hashes) for span in spans]


class Edge:
    """The right edge of a growing tree: its complete subtrees, from the largest on the left to the smallest."""

    def __init__(self, size: int, hashes: Hashes) -> None:
        self.size = size
        self._nodes = [(node, hashes[node]) for node in complete_nodes(Span(0, size))]

    def extend(self, leaves: Iterable[bytes]) -> Iterator[tuple[Node, bytes]]:
        """Add leaves at the end. Yields each inner node that becomes complete, with its hash."""
        for leaf in leaves:
            node, reached = Node(0, self.size), leaf
            while self._nodes and self._nodes[-1][0].level == node.level:
                _, left = self._nodes.pop()
                node, reached = Node(node.level + 1, node.number >> 1), node_hash(left, reached)
                yield node, reached
            self._nodes.append((node, reached))
            self.size += 1

    @property
    def root(self) -> bytes:
        return span_hash(Span(0, self.size), dict(self._nodes))


def _split(size: int) -> int:
    """The largest power of two smaller than `size`."""
    return 1 << (size - 1).bit_length() - 1
