"""A log that tells different histories: its checkpoints prove it, or are said to be tied by nothing."""

import copy
from collections.abc import Callable

import pytest

from app.ledger import tree
from app.ledger.tree import Edge, Node
from app.ledger.verifier import encode, leaf_hash
from tests.forged_logs import Part, judge, lines, sealed
from tests.receipts import wrong

pytestmark = pytest.mark.parametrize("engine", ["sqlite"])


def test_a_log_that_is_split_is_found_out_in_one_receipt(receipt: Part) -> None:
    for number, event in enumerate(receipt["record"]["events"]):
        sealed([event], fillers=2 - number)
    assert wrong(judge(receipt)) == [
        "The log behind them: two checkpoints of one size differ: the log was split in two, and this proves it"
    ]


def forked(events: list[Part]) -> list[tuple[str, list[bytes]]]:
    """Each event in a history of its own, of another size; with the checkpoint, the leaves of each."""
    found = []
    for number, event in enumerate(events):
        note = sealed([event], fillers=3)
        leaves = [bytes([each]) * 32 for each in range(event["position"] + 4)]
        leaves[number] = leaf_hash(bytes.fromhex(event["evidence_hash"]))
        found.append((note, leaves))
    return found


def consistency(leaves: list[bytes], older: int) -> Part:
    """That the first so many of them are where these began: as true as can be."""
    edge, hashes = Edge(0, {}), {Node(0, number): leaf for number, leaf in enumerate(leaves)}
    hashes.update(edge.extend(leaves))
    path = [tree.span_hash(span, hashes) for span in tree.consistency_spans(older, edge.size)]
    return {"from": older, "to": edge.size, "proof": [encode(each) for each in path]}


@pytest.mark.parametrize("is_old", [True, False])
def test_events_of_histories_that_exclude_each_other_are_not_said_to_be_of_one_log(
    receipt: Part, *, is_old: bool
) -> None:
    """By the log's own keeper, who has signed them all. Receipts from before have no field for what would tie them."""
    forked(receipt["record"]["events"])
    receipt["consistency_proofs"] = []
    if is_old:
        del receipt["consistency_proofs"]
    (line,) = lines(receipt, "The log behind them")
    assert line.startswith("note   The log behind them: the events are proven under checkpoints of 4, 5, 6 entries")
    assert "they may be of histories that exclude each other" in line


def test_no_proof_ties_histories_that_exclude_each_other(receipt: Part) -> None:
    histories = forked(receipt["record"]["events"])
    pairs = zip(histories[1:], (4, 5), strict=True)
    receipt["consistency_proofs"] = [consistency(leaves, older) for (_note, leaves), older in pairs]
    assert wrong(judge(receipt)) == ["The log behind them: the later log does not hold the earlier one unchanged"]


@pytest.fixture
def grown(receipt: Part) -> Part:
    """Its events under three checkpoints of one history."""
    events = receipt["record"]["events"]
    for event in reversed(events):
        sealed(events[: event["position"] + 1])
    for older in events[:-1]:
        kept = copy.deepcopy(events)
        sealed(kept[: older["position"] + 1])
        older["tlog_proof"] = kept[older["position"]]["tlog_proof"]
    leaves = [leaf_hash(bytes.fromhex(each["evidence_hash"])) for each in events]
    sealed_last = copy.deepcopy(events)
    sealed(sealed_last)
    events[-1]["tlog_proof"] = sealed_last[-1]["tlog_proof"]
    receipt["consistency_proofs"] = [consistency(leaves[:newer], newer - 1) for newer in (2, 3)]
    return receipt


def test_checkpoints_that_are_tied_together_are_of_one_log(grown: Part) -> None:
    assert wrong(judge(grown)) == []
    assert lines(grown, "The log behind them") == [
        "ok     The log behind them: one and the same for all; each of its 3 checkpoints holds the one before unchanged"
    ]


def _another_hash(proofs: list[Part]) -> None:
    proofs[1]["proof"][0] = encode(bytes(32))


def _a_hash_less(proofs: list[Part]) -> None:
    proofs[1]["proof"].pop()


def _between_other_sizes(proofs: list[Part]) -> None:
    proofs[1].update({"from": 1})


def _to_a_size_that_is_not_there(proofs: list[Part]) -> None:
    proofs[1].update({"to": 7})


def _without_hashes(proofs: list[Part]) -> None:
    proofs[1]["proof"] = None


@pytest.mark.parametrize(
    "change",
    [_another_hash, _a_hash_less, _between_other_sizes, _to_a_size_that_is_not_there, _without_hashes],
    ids=lambda change: change.__name__,
)
def test_a_proof_that_was_changed_is_wrong(grown: Part, change: Callable[[list[Part]], None]) -> None:
    change(grown["consistency_proofs"])
    assert [each for each in wrong(judge(grown)) if each.startswith("The log behind them: ")]


def test_a_pair_that_nothing_ties_is_told(grown: Part) -> None:
    grown["consistency_proofs"].pop()
    (line,) = lines(grown, "The log behind them")
    assert line.startswith("note ")
