"""The status lookup for other services: may I write to this person?

Answered from the rows as they are now, never from a copy: a person who unsubscribes is not mailable a moment later.
`mailable` is true if and only if the subscription is confirmed and the address not suppressed.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from itertools import groupby
from uuid import UUID

from sqlalchemy import Connection, and_, bindparam, select

from app import clock, suppressions
from app.addresses import EmailAddress
from app.database import AnyRow, AnySelect, Instant, json_insert
from app.database.prepared import PreparedStatement
from app.outbox import Letter, State
from app.subscriptions import leavings
from app.subscriptions.model import Status, Subscriber, Subscription

UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class ConfirmationMail:
    state: str
    at: datetime


@dataclass(frozen=True, slots=True)
class SubscriptionStatus:
    id: UUID
    newsletter: str
    status: Status
    mailable: bool
    since: datetime
    reason: str | None
    confirmation_mail: ConfirmationMail | None


@dataclass(frozen=True, slots=True)
class SubscriberStatus:
    id: UUID
    email: str
    language: str
    subscriptions: tuple[SubscriptionStatus, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """The answer to a lookup of one address for one newsletter."""

    email: str
    status: str
    mailable: bool


def find(connection: Connection, who: str | UUID, *, visible: frozenset[str] | None = None) -> SubscriberStatus | None:
    """One person, by canonical address or id, with their subscriptions to `visible` newsletters (None: all)."""
    if isinstance(who, UUID):
        found = _by_id().run(connection, {"id": who, "now": clock.now()})
    else:
        found = _by_address().run(connection, {"canonical": who, "now": clock.now()})
    return next(iter(_subscribers(row for row in found if visible is None or row.newsletter in visible)), None)


def find_all(
    connection: Connection, ids: Sequence[UUID], *, visible: frozenset[str] | None = None
) -> list[SubscriberStatus]:
    """As `find`, by id, in any order; whoever is not found is left out."""
    asked = _everything().where(Subscriber.id.in_(ids)).order_by(Subscriber.id, Subscription.newsletter)
    found = connection.execute(asked, {"now": clock.now()})
    return list(_subscribers(row for row in found if visible is None or row.newsletter in visible))


def page(
    connection: Connection, newsletter: str, *, status: Status | None, after: UUID | None, limit: int
) -> list[SubscriberStatus]:
    """Subscribers of one newsletter in the order of their subscriptions' ids, starting after `after`."""
    asked = _everything().where(Subscription.newsletter == newsletter).order_by(Subscription.id).limit(limit)
    if status is not None:
        asked = asked.where(Subscription.status == status)
    if after is not None:
        asked = asked.where(Subscription.id > after)
    return list(_subscribers(connection.execute(asked, {"now": clock.now()})))


def look_up(connection: Connection, newsletter: str, emails: Sequence[str], suppression_key: str) -> list[Found]:
    """In the order and spelling given.

    An address that is not subscribed is `unknown`, or `unsubscribed` if it left before it was erased.
    """
    canonical = [EmailAddress.canonical_of(email) for email in emails]
    found = _looking_up(connection.dialect.name).run(
        connection, {"newsletter": newsletter, "now": clock.now(), "addresses": json_insert.texts(canonical)}
    )
    known: Mapping[str, AnyRow] = {row.canonical: row for row in found}
    strangers = {each: _digest(each, suppression_key) for each in canonical if each not in known}
    left = leavings.look_up(connection, newsletter, strangers.values())
    gone = {each for each, digest in strangers.items() if digest in left}
    return [
        _found(email, known.get(spelling), spelling in gone) for email, spelling in zip(emails, canonical, strict=True)
    ]


def _digest(canonical: str, suppression_key: str) -> str:
    return EmailAddress(canonical, canonical).digest(suppression_key)


def _found(email: str, row: AnyRow | None, has_left: bool) -> Found:
    if row is None:
        return Found(email, Status.UNSUBSCRIBED if has_left else UNKNOWN, mailable=False)
    return Found(email, row.status, mailable=row.mailable)


_NOW = bindparam("now", type_=Instant)
_MAILABLE = and_(Subscription.status == Status.CONFIRMED, ~suppressions.forbids_mail(Subscriber.digest, _NOW)).label(
    "mailable"
)


def _everything() -> AnySelect:
    return (
        select(
            Subscriber.id.label("subscriber_id"),
            Subscriber.address,
            Subscriber.language,
            Subscription.id,
            Subscription.newsletter,
            Subscription.status,
            Subscription.since,
            Subscription.reason,
            _MAILABLE,
            Letter.state.label("letter_state"),
            Letter.state_at.label("letter_at"),
        )
        .join_from(Subscriber, Subscription, Subscription.subscriber_id == Subscriber.id)
        .outerjoin(Letter, Letter.id == Subscription.letter_id)
    )


@cache
def _by_id() -> PreparedStatement:
    return PreparedStatement(_everything().where(Subscriber.id == bindparam("id")).order_by(Subscription.newsletter))


@cache
def _by_address() -> PreparedStatement:
    by_address = _everything().where(Subscriber.canonical == bindparam("canonical"))
    return PreparedStatement(by_address.order_by(Subscription.newsletter))


@cache
def _looking_up(dialect: str) -> PreparedStatement:
    return PreparedStatement(
        select(Subscriber.canonical, Subscription.status, _MAILABLE)
        .join(Subscription, Subscription.subscriber_id == Subscriber.id)
        .where(
            Subscriber.canonical.in_(json_insert.select_texts("addresses", dialect)),
            Subscription.newsletter == bindparam("newsletter"),
        )
    )


def _subscribers(found: Iterable[AnyRow]) -> Iterable[SubscriberStatus]:
    for subscriber_id, group in groupby(found, key=lambda row: row.subscriber_id):
        theirs = list(group)
        yield SubscriberStatus(
            id=subscriber_id,
            email=theirs[0].address,
            language=theirs[0].language,
            subscriptions=tuple(_subscription(row) for row in theirs),
        )


def _subscription(row: AnyRow) -> SubscriptionStatus:
    return SubscriptionStatus(
        id=row.id,
        newsletter=row.newsletter,
        status=Status(row.status),
        mailable=row.mailable,
        since=row.since,
        # A pending subscription may keep how it ended before; that is not the reason for its present status.
        reason=row.reason if row.status not in (Status.PENDING, Status.CONFIRMED) else None,
        confirmation_mail=_confirmation_mail(row),
    )


def _confirmation_mail(row: AnyRow) -> ConfirmationMail | None:
    if row.letter_state is None or row.letter_state == State.DROPPED:
        return None
    return ConfirmationMail(row.letter_state, row.letter_at)
