"""The history of one subscription for a receipt: every event with its evidence and its place in the log.

Built from the events, because person and subscription may be gone after a request was declined or lapsed; a recipient
who asks about the mail must still be answered from the evidence that is kept.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, select

from app import consent
from app.addresses import EmailAddress
from app.consent import ConsentEvent, EventType
from app.database import AnyRow
from app.ledger import anchors, proofs
from app.ledger.log import Log, verification_keys
from app.ledger.proofs import Growth
from app.ledger.verifier import InclusionProof, unverified
from app.newsletters.tables import Wording
from app.subscriptions.model import Subscriber


@dataclass(frozen=True)
class Entry:
    """A consent event. If erased, it has neither evidence nor salt, but still its place in the log."""

    id: UUID
    type: EventType
    occurred_at: datetime
    evidence: str | None
    salt: str | None
    evidence_hash: str
    proof: InclusionProof | None
    """None if it is not sealed yet."""

    @cached_property
    def details(self) -> Mapping[str, Any]:
        return json.loads(self.evidence) if self.evidence else {}


@dataclass(frozen=True, slots=True)
class DataSubject:
    address: EmailAddress
    language: str
    commitment_key: str
    """With this key, a verifier can check that the evidence is about this address (`consent.commitment`)."""


@dataclass(frozen=True, slots=True)
class History:
    subscription_id: UUID
    subscriber_id: UUID
    newsletter: str
    person: DataSubject | None
    """None if the address is erased."""
    entries: tuple[Entry, ...]
    """In the order in which they happened."""
    wordings: Mapping[str, str]
    """Every text that the evidence cites, by its SHA-256."""
    log_keys: tuple[str, ...]
    """Verification keys, newest first."""
    growth: tuple[Growth, ...]
    """Consistency proofs between the checkpoints of the inclusion proofs, from each to the next larger."""
    anchors: tuple[tuple[str, bytes], ...]
    """Signed note and RFC 3161 response, for each checkpoint of a proof that an authority has stamped."""

    @property
    def is_erased(self) -> bool:
        return not any(each.evidence for each in self.entries if each.type is not EventType.ERASED)

    @property
    def basis(self) -> Entry | None:
        """The request that the newest confirmation answered; without a confirmation, the newest request."""
        confirmed = [number for number, each in enumerate(self.entries) if each.type is EventType.CONFIRMED]
        before = self.entries[: confirmed[-1]] if confirmed else self.entries
        return next((each for each in reversed(before) if each.type is EventType.REQUESTED and each.evidence), None)

    @property
    def presented_at(self) -> datetime | None:
        """When the words of the basis were presented: a renewal cites those of an earlier request."""
        known = {str(each.id): each for each in self.entries}
        shown = self.basis
        while shown and "renews" in shown.details:
            shown = known.pop(shown.details["renews"], None)
        return shown.occurred_at if shown else None

    @property
    def asked_by(self) -> Mapping[str, str] | None:
        """The controller's identity as the basis cites it; None where evidence from before it did so does not."""
        cited = self.basis.details["wordings"].get("controller") if self.basis else None
        return json.loads(self.wordings[cited]) if cited else None

    @property
    def resident(self) -> DataSubject | None:
        """The person, if the evidence is about their present address: it may be older than an address change."""
        asked = [each for each in self.entries if each.type is EventType.REQUESTED and each.evidence]
        if self.person is None or not asked:
            return None
        newest = sorted(asked, key=lambda each: (each.proof is None, each.proof.index if each.proof else 0))[-1]
        present = consent.commitment(self.person.commitment_key, self.person.address)
        return self.person if newest.details.get("address_commitment") == present else None

    @property
    def steps(self) -> list[tuple[str, str | None]]:
        """Type and actor of each entry; its state is derived from them."""
        return [(each.type, each.details.get("actor")) for each in self.entries]

    @property
    def language(self) -> str:
        """The person's present language, otherwise the language of the request."""
        if self.person:
            return self.person.language
        return str(self.basis.details["language"]) if self.basis else "en"


def find(
    connection: Connection, subscription_id: UUID, log: Log, shown_until: datetime | None = None
) -> History | None:
    """None if the subscription has no events. `shown_until`: as in `proofs.inclusion`."""
    events = connection.execute(
        select(ConsentEvent)
        .where(ConsentEvent.subscription_id == subscription_id)
        .order_by(ConsentEvent.occurred_at, ConsentEvent.id)
    ).all()
    if not events:
        return None
    proven = proofs.inclusion(connection, [each.id for each in events], shown_until)
    notes = sorted({each.checkpoint for each in proven.values()})
    entries = sorted((_entry(each, proven.get(each.id)) for each in events), key=_when)
    return History(
        subscription_id=subscription_id,
        subscriber_id=events[0].subscriber_id,
        newsletter=events[0].newsletter,
        person=_person(connection, events[0].subscriber_id),
        entries=tuple(entries),
        wordings=_wordings(connection, entries),
        log_keys=tuple(map(str, verification_keys(connection, log))),
        growth=tuple(proofs.growth(connection, [unverified(note).size for note in notes])),
        anchors=tuple(anchors.of(connection, notes)),
    )


def _entry(row: AnyRow, proof: InclusionProof | None) -> Entry:
    return Entry(row.id, EventType(row.type), row.occurred_at, row.evidence, row.salt, row.evidence_hash, proof)


def _when(entry: Entry) -> tuple[datetime, bool, int]:
    """Sort key: the log's order decides between entries of the same millisecond."""
    return entry.occurred_at, entry.proof is None, entry.proof.index if entry.proof else 0


def _person(connection: Connection, subscriber_id: UUID) -> DataSubject | None:
    found = connection.execute(
        select(Subscriber.address, Subscriber.canonical, Subscriber.language, Subscriber.commitment_key).where(
            Subscriber.id == subscriber_id
        )
    ).first()
    if found is None:
        return None
    return DataSubject(EmailAddress(found.address, found.canonical), found.language, found.commitment_key)


def _wordings(connection: Connection, entries: Sequence[Entry]) -> Mapping[str, str]:
    cited = {digest for each in entries for digest in each.details.get("wordings", {}).values()}
    found = connection.execute(select(Wording.sha256, Wording.text).where(Wording.sha256.in_(sorted(cited))))
    return {row.sha256: row.text for row in found}
