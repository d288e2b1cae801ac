"""Wrong MACs of events: made with the key of a forger, or for another event or other evidence."""

from collections.abc import Callable
from uuid import UUID, uuid4

from app.event_macs import Macs

OLD_KEY = "a secret key for tests that is of some length"
FORGERS_KEY = "a secret key of somebody else, and long enough"
Forge = Callable[[UUID, str], str | None]


def by_another_key(event_id: UUID, evidence_hash: str) -> str:
    return Macs.of([FORGERS_KEY]).make(event_id, evidence_hash)


def of_another_event(_event_id: UUID, evidence_hash: str) -> str:
    return Macs.of([OLD_KEY]).make(uuid4(), evidence_hash)


def of_other_evidence(event_id: UUID, _evidence_hash: str) -> str:
    return Macs.of([OLD_KEY]).make(event_id, "00" * 32)
