"""Access (GDPR Art. 15(1) and (3)): all stored data about one person, as rows.

Invariant: every table with data about a person, by id or by digest of the address, is a `Part`, and all of its columns
are disclosed except those of `WORKINGS`.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, cast
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Table, select
from sqlalchemy.orm import InstrumentedAttribute

from app.abuse.recipient_limit import RecipientLimit
from app.addresses import EmailAddress
from app.consent import ConsentEvent, EventType
from app.database import AnyRow
from app.feedback import FeedbackReport
from app.ledger.erasures import RecentErasure
from app.ledger.model import LogEntry
from app.newsletters.tables import Wording
from app.outbox import Letter
from app.subscriptions import lapsed_requests, stated_requests
from app.subscriptions.address_change.changes import AddressChange
from app.subscriptions.lapsed_requests import LapsedRequest
from app.subscriptions.leavings import KeptLeaving
from app.subscriptions.model import Subscriber, Subscription
from app.suppressions import Suppression

WORKINGS = frozenset(
    {
        "attempt",
        "digest",
        "lease",
        "leased_until",
        "mac",
        "mailbox_digest",
        "nonce",
        "tries",
        "unanswered",
        "undo_expires_at",
        "undo_id",
        "version",
    }
)
"""Internal columns: link security and concurrency control. They say nothing about anyone."""


@dataclass(frozen=True, slots=True)
class Identity:
    subscriber_ids: Sequence[UUID]
    """The person's own, and those of earlier requests from the address that lapsed."""
    digest: str
    mailbox_digest: str | None
    is_plain: bool
    """Whether the address is its mailbox's plain form: then both share one row of the recipient limit."""


class Kept(Enum):
    """Whose data a row under a digest is."""

    OF_ADDRESS = auto()
    OF_MAILBOX = auto()
    """Of all addresses together that probably deliver to the person's mailbox."""


@dataclass(frozen=True, slots=True)
class Part:
    """One category of stored data about people."""

    whose: InstrumentedAttribute[Any]
    """The owner column: a subscriber's id, or the digest of an address."""
    order_by: InstrumentedAttribute[Any]
    kept: Kept = Kept.OF_ADDRESS
    but: frozenset[str] = frozenset()
    """Excluded columns: another part discloses them, because they belong to the other kind of owner."""

    @property
    def table(self) -> Table:
        return cast(Table, self.whose.class_.__table__)

    @property
    def columns(self) -> list[str]:
        return [each.name for each in self.table.columns if each.name not in WORKINGS | self.but]

    def theirs(self, who: Identity) -> ColumnElement[bool]:
        if self.whose.key != "digest":
            return self.whose.in_(who.subscriber_ids)
        if self.kept is Kept.OF_MAILBOX:
            return self.whose == who.mailbox_digest
        is_in_mailboxs_row = self.table is RecipientLimit.__table__ and who.is_plain
        return self.whose.in_([who.digest, *([who.mailbox_digest] if is_in_mailboxs_row else [])])


PARTS: Mapping[str, Part] = {
    "person": Part(Subscriber.id, Subscriber.created_at),
    "subscriptions": Part(Subscription.subscriber_id, Subscription.newsletter),
    "consent_events": Part(ConsentEvent.subscriber_id, ConsentEvent.occurred_at),
    "letters": Part(Letter.subscriber_id, Letter.created_at),
    "address_changes": Part(AddressChange.subscriber_id, AddressChange.asked_at),
    "lapsed_requests": Part(LapsedRequest.subscriber_id, LapsedRequest.lapsed_at),
    "suppressions": Part(Suppression.digest, Suppression.since),
    "suppressions_of_mailbox": Part(Suppression.digest, Suppression.since, Kept.OF_MAILBOX),
    "erasures": Part(RecentErasure.subscriber_id, RecentErasure.erased_at),
    "leavings": Part(KeptLeaving.digest, KeptLeaving.newsletter),
    "mail_budget": Part(RecipientLimit.digest, RecipientLimit.used_at, but=frozenset({"to_mailbox"})),
    "mail_budget_of_mailbox": Part(
        RecipientLimit.digest,
        RecipientLimit.used_at,
        Kept.OF_MAILBOX,
        but=frozenset({"confirmations", "told_at", "linked_at"}),
    ),
    "feedback_reports": Part(FeedbackReport.digest, FeedbackReport.received_at),
}
"""By the name in the person's export."""


@dataclass(frozen=True, slots=True)
class Holdings:
    """All stored data about one person."""

    parts: Mapping[str, Sequence[Mapping[str, Any]]]
    """Rows by the names of PARTS. An event also has `position`, if it is sealed, and `details`, its parsed evidence."""
    wordings: Mapping[str, str]
    """Every text that the evidence cites, by its SHA-256."""
    digests: Mapping[str, str | None]
    """The keyed digests of the address and of its mailbox, under which rows without a subscriber are kept."""

    @property
    def person(self) -> Mapping[str, Any] | None:
        """None if no subscriber has the address (any more)."""
        return next(iter(self.parts["person"]), None)

    @property
    def sources(self) -> list[str]:
        """The pages whose forms were submitted (Art. 15(1)(g))."""
        pages = (each["details"].get("form_url") for each in self.parts["consent_events"])
        return sorted({page for page in pages if page})

    @property
    def stated_sources(self) -> list[str]:
        """What other services named as the source of a request that they passed on."""
        orders = (each["details"] for each in self.parts["consent_events"] if each["type"] == EventType.REQUESTED)
        return sorted({source for each in orders if (source := stated_requests.source_of(each))})


def find(connection: Connection, subscriber_id: UUID) -> Holdings | None:
    """None if the person has been erased."""
    present = select(Subscriber.canonical, Subscriber.digest, Subscriber.mailbox_digest)
    found = connection.execute(present.where(Subscriber.id == subscriber_id)).first()
    if found is None:
        return None
    is_plain = EmailAddress.of(found.canonical).is_plain
    earlier = connection.scalars(lapsed_requests.earlier(found.digest))
    who = Identity(sorted({subscriber_id, *earlier}), found.digest, found.mailbox_digest, is_plain)
    holdings = _collect(connection, who)
    return holdings if holdings.person else None  # None: erased since the first query


def find_by_address(connection: Connection, address: EmailAddress, key: str) -> Holdings | None:
    """For who has no link: also what is kept under digests alone, once no subscriber is left. None if nothing is kept.

    `key`: SUPPRESSION_KEY.
    """
    known_by = address.digests(key)
    present = connection.scalars(select(Subscriber.id).where(Subscriber.canonical == address.canonical)).all()
    # Read after the subscriber, so that a request that lapses in between is seen in one of the two.
    earlier = connection.scalars(lapsed_requests.earlier(known_by.address)).all()
    who = Identity(sorted({*present, *earlier}), known_by.address, known_by.mailbox, address.is_plain)
    holdings = _collect(connection, who)
    return holdings if any(holdings.parts.values()) else None


def _collect(connection: Connection, who: Identity) -> Holdings:
    parts = {name: [_disclosed(part, row) for row in _rows(connection, part, who)] for name, part in PARTS.items()}
    parts["consent_events"] = _events(connection, parts["consent_events"])
    parts["address_wanted_by_others"] = _wanted_by_others(connection, who)
    digests = {"address": who.digest, "mailbox": who.mailbox_digest}
    return Holdings(parts, _wordings(connection, parts["consent_events"]), digests)


def _wanted_by_others(connection: Connection, who: Identity) -> list[Mapping[str, Any]]:
    """When another subscriber asked to move to the address; who that is, is their own data (Art. 15(4))."""
    wanted = select(AddressChange.asked_at, AddressChange.ends_at).where(
        AddressChange.wanted_digest == who.digest, AddressChange.subscriber_id.not_in(who.subscriber_ids)
    )
    return [dict(row._mapping) for row in connection.execute(wanted.order_by(AddressChange.asked_at))]


def _rows(connection: Connection, part: Part, who: Identity) -> Sequence[AnyRow]:
    return connection.execute(select(part.table).where(part.theirs(who)).order_by(part.order_by)).all()


def _disclosed(part: Part, row: AnyRow) -> Mapping[str, Any]:
    return {name: row._mapping[name] for name in part.columns}


def _events(connection: Connection, events: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    sealed = select(LogEntry.event_id, LogEntry.position).where(LogEntry.event_id.in_(each["id"] for each in events))
    positions = {row.event_id: row.position for row in connection.execute(sealed)}
    return [
        {
            **each,
            "details": json.loads(each["evidence"]) if each["evidence"] else {},
            "position": positions.get(each["id"]),
        }
        for each in events
    ]


def _wordings(connection: Connection, events: Sequence[Mapping[str, Any]]) -> Mapping[str, str]:
    cited = {digest for each in events for digest in each["details"].get("wordings", {}).values()}
    found = connection.execute(select(Wording.sha256, Wording.text).where(Wording.sha256.in_(sorted(cited))))
    return {row.sha256: row.text for row in found}
