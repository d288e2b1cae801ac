"""The tree: vectors of others, every proof up to 130 leaves, and by chance beyond."""

import hashlib
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.ledger.tree import EMPTY_ROOT, Edge, Hashes, Node, consistency_spans, inclusion_spans, proof
from app.ledger.verifier import Checkpoint, Refuted, check_consistency, check_inclusion, leaf_hash, node_hash

# The entries and roots of Certificate Transparency's own reference implementation.
ENTRIES = ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
ROOTS = (
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)
ALL_SIZES = range(131)


class Grown:
    """A tree grown leaf by leaf, with the root that it had at each size."""

    def __init__(self, leaves: Sequence[bytes]) -> None:
        edge = Edge(0, {})
        self.leaves = leaves
        self.hashes: dict[Node, bytes] = {Node(0, number): leaf for number, leaf in enumerate(leaves)}
        self.roots = [edge.root]
        for leaf in leaves:
            self.hashes.update(edge.extend([leaf]))
            self.roots.append(edge.root)

    def look_up(self, nodes: Sequence[Node]) -> Hashes:
        return {node: self.hashes[node] for node in nodes}

    def head(self, size: int) -> Checkpoint:
        return Checkpoint("log.example.org", size, self.roots[size])

    def inclusion(self, index: int, size: int) -> list[bytes]:
        return proof(inclusion_spans(index, size), self.look_up)

    def consistency(self, older: int, newer: int) -> list[bytes]:
        return proof(consistency_spans(older, newer), self.look_up)


def grown(size: int) -> Grown:
    return Grown([leaf_hash(number.to_bytes(4)) for number in range(size)])


def by_definition(leaves: Sequence[bytes]) -> bytes:
    """RFC 6962 section 2.1, word for word."""
    if len(leaves) < 2:
        return leaves[0] if leaves else hashlib.sha256().digest()
    middle = 1
    while middle * 2 < len(leaves):
        middle *= 2
    return node_hash(by_definition(leaves[:middle]), by_definition(leaves[middle:]))


def test_the_roots_are_those_of_certificate_transparency() -> None:
    tree = Grown([leaf_hash(bytes.fromhex(entry)) for entry in ENTRIES])
    assert EMPTY_ROOT.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert [root.hex() for root in tree.roots[1:]] == list(ROOTS)


def test_the_root_of_every_size_is_what_the_definition_says() -> None:
    tree = grown(130)
    assert [by_definition(tree.leaves[:size]) for size in ALL_SIZES] == tree.roots


def test_every_leaf_is_proven_in_every_tree() -> None:
    tree = grown(130)
    for size in ALL_SIZES:
        for index in range(size):
            check_inclusion(tree.leaves[index], index, size, tree.inclusion(index, size), tree.roots[size])


def test_every_tree_is_proven_to_be_the_beginning_of_every_later_one() -> None:
    tree = grown(130)
    for newer in ALL_SIZES:
        for older in range(newer + 1):
            check_consistency(tree.head(older), tree.head(newer), tree.consistency(older, newer))


@given(data=st.data(), size=st.integers(2, 3000))
def test_no_proof_holds_for_another_leaf_place_or_size(data: st.DataObject, size: int) -> None:
    tree = _LARGE
    index = data.draw(st.integers(0, size - 1))
    shown = tree.inclusion(index, size)
    root = by_definition(tree.leaves[:size])
    check_inclusion(tree.leaves[index], index, size, shown, root)
    broken = data.draw(st.integers(0, len(shown) - 1))
    flipped = [*shown[:broken], bytes([shown[broken][0] ^ 1]) + shown[broken][1:], *shown[broken + 1 :]]
    elsewhere = data.draw(st.integers(0, size - 1).filter(lambda other: other != index))
    for leaf, place, path in (
        (tree.leaves[elsewhere], index, shown),
        (tree.leaves[index], elsewhere, shown),
        (tree.leaves[index], index, flipped),
        (tree.leaves[index], index, shown[:-1]),
        (tree.leaves[index], index, [*shown, root]),
    ):
        with pytest.raises(Refuted):
            check_inclusion(leaf, place, size, path, root)


@given(sizes=st.lists(st.integers(1, 3000), min_size=2, max_size=2, unique=True).map(sorted), bit=st.integers(0, 255))
def test_no_rewritten_log_passes_for_a_grown_one(sizes: list[int], bit: int) -> None:
    tree = _LARGE
    older, newer = (Checkpoint("log.example.org", size, by_definition(tree.leaves[:size])) for size in sizes)
    shown = tree.consistency(*sizes)
    check_consistency(older, newer, shown)
    forged = Checkpoint(older.origin, older.size, _flipped(older.root, bit))
    for first, second, path in (
        (forged, newer, shown),
        (older, Checkpoint(newer.origin, newer.size, _flipped(newer.root, bit)), shown),
        (older, newer, shown[:-1]),
        (older, newer, [*shown, older.root]),
        (newer, older, shown),
    ):
        with pytest.raises(Refuted):
            check_consistency(first, second, path)


def _flipped(data: bytes, bit: int) -> bytes:
    return (int.from_bytes(data) ^ (1 << bit)).to_bytes(len(data))


_LARGE = grown(3000)
