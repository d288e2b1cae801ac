"""Checkpoints and proofs before a judge that is not ours: `note` and `tlog` of golang.org/x/mod."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from app.api_keys import Scope
from app.ledger import proofs
from app.ledger.verifier import encode
from tests import machine
from tests.commands import ROOT
from tests.log import grow, newest
from tests.service import Service

SIZES = [1, 2, 3, 4, 7, 8, 11, 16, 21]

Claim = dict[str, Any]

pytestmark = pytest.mark.parametrize("engine", ["sqlite"])


@pytest.fixture
def claims(service: Service) -> list[Claim]:
    """A consistency proof between any two checkpoints, and an inclusion proof of each entry under each of them."""
    key, reader = service.get("/log/key").text.strip(), service.key(Scope.EVENTS_READ)
    found: list[Claim] = []
    for size in SIZES:
        grow(service, [size])
        found += [{"key": key, **each} for each in inclusions(service)]
    notes = {row.size: row.note for row in service.rows("SELECT size, note FROM checkpoints")}
    for newer in SIZES:
        for older in (size for size in SIZES if size <= newer):
            answer = service.get(f"/log/consistency?from={older}&to={newer}", headers=reader).get_json()
            found.append({"key": key, "newer": notes[newer], "older": notes[older], "proof": answer["proof"]})
    return found


def inclusions(service: Service) -> list[Claim]:
    events = service.rows("SELECT id, evidence_hash FROM consent_events")
    with service.database.read_only() as connection:
        proven = proofs.inclusion(connection, [UUID(event.id) for event in events])
    return [
        {
            "newer": newest(service),
            "entry": encode(bytes.fromhex(event.evidence_hash)),
            "index": proven[UUID(event.id)].index,
            "proof": [encode(each) for each in proven[UUID(event.id)].hashes],
        }
        for event in events
    ]


def judged(claims: list[Claim]) -> list[str]:
    go = machine.require(machine.GO)
    sources = machine.require(machine.GO_MOD)
    environment = {**os.environ, "GO111MODULE": "off", "GOPATH": str(sources), "GOFLAGS": ""}
    program: list[str | Path] = [go, "run", ROOT / "tests/stranger/main.go"]
    result = subprocess.run(
        program, env=environment, input=json.dumps(claims), capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    return list(json.loads(result.stdout))


def test_the_judge_accepts_what_is_true_and_nothing_else(claims: list[Claim]) -> None:
    forged = [forgery for claim in claims for forgery in forgeries(claim)]
    answers = judged([*claims, *forged])
    assert answers[: len(claims)] == [""] * (sum(SIZES) + len(SIZES) * (len(SIZES) + 1) // 2)
    assert "" not in answers[len(claims) :]
    assert len(forged) > len(claims)


def forgeries(claim: Claim) -> list[Claim]:
    """Claims that are close to a true one."""
    found = [{**claim, "newer": claim["newer"].replace("\n", "\n1", 1)}]
    if claim["proof"]:
        found.append({**claim, "proof": [encode(bytes(32)), *claim["proof"][1:]]})
        found.append({**claim, "proof": claim["proof"][:-1]})
    if "entry" in claim:
        found.append({**claim, "entry": encode(bytes(32))})
    return found
