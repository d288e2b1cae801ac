"""Logs that their own keeper makes anew, with whatever events, and receipts signed to go with them."""

import json
from typing import Any

from app import consent
from app.ledger import tree
from app.ledger.signing import sign
from app.ledger.tree import Edge, Node
from app.ledger.verifier import Checkpoint, Finding, InclusionProof, Trust, evidence_hash, examine_receipt, leaf_hash
from tests.receipts import KEY, SIGNER, signed_anew

Part = dict[str, Any]
REQUEST, LETTER, CONFIRMATION = range(3)


def says(event: Part, **evidence: object) -> None:
    """Write the evidence anew, and what the receipt shows of it."""
    said = {**json.loads(event["evidence"]), **evidence}
    event["evidence"] = consent.canonical(said).decode()
    event.update(event_id=said["event"], type=said["type"], event_time=said["occurred_at"], entity_id=said["actor"])


def sealed(events: list[Part], *, fillers: int = 0) -> str:
    """Put events into a log of their own, at the positions that they name; its signed checkpoint."""
    for event in events:
        if event["evidence"] is not None:
            event["evidence_hash"] = evidence_hash(event["evidence"], bytes.fromhex(event["salt"])).hex()
    at = {event["position"]: leaf_hash(bytes.fromhex(event["evidence_hash"])) for event in events}
    leaves = [at.get(number, bytes([number]) * 32) for number in range(max(at) + 1 + fillers)]
    edge, hashes = Edge(0, {}), {Node(0, number): leaf for number, leaf in enumerate(leaves)}
    hashes.update(edge.extend(leaves))
    note = sign(str(Checkpoint(KEY.name, edge.size, edge.root)), [SIGNER])
    for event in events:
        spans = tree.inclusion_spans(event["position"], edge.size)
        path = tuple(tree.span_hash(span, hashes) for span in spans)
        event["tlog_proof"] = str(InclusionProof(event["position"], path, note))
    return note


def judge(receipt: Part, trust: Trust | None = None) -> list[Finding]:
    return examine_receipt(signed_anew(receipt), trust or Trust([KEY]))


def lines(receipt: Part, about: str) -> list[str]:
    return [str(each) for each in judge(receipt) if each.text.startswith(about)]
