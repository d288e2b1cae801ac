"""The mailbox that a report is about, known by its digest, and its present holder.

A letter went to one mailbox. If its person has another address since, the report says nothing about that one.
Lock order: `database.locks`.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.addresses import EmailAddress
from app.feedback.report import Report
from app.outbox import Letter, LetterKind
from app.subscriptions.address_change.changes import AddressChange
from app.subscriptions.model import Subscriber, Subscription


@dataclass(frozen=True, slots=True)
class Mailbox:
    canonical: str
    digest: str
    mailbox_digest: str | None
    """As in `Subscriber`: shared by all addresses that probably lead there."""

    @property
    def known_by(self) -> tuple[str, str | None]:
        return self.digest, self.mailbox_digest


@dataclass(frozen=True, slots=True)
class Recipient:
    mailbox: Mailbox
    letter: Letter | None
    """As it was before the report."""


def find(session: Session, report: Report, suppression_key: str) -> Recipient | None:
    """By letter, else by subscription, else by address. None if that leads to nobody: erased, or never known."""
    letter = session.get(Letter, report.letter_id) if report.letter_id else None
    if letter is not None:
        mailbox = _recipient(session, letter)
    elif report.subscription_id is not None:
        mailbox = _subscriber(session, report.subscription_id)
    else:
        mailbox = None
    if mailbox is None and report.address is not None:
        digests = report.address.digests(suppression_key)
        mailbox = Mailbox(report.address.canonical, digests.address, digests.mailbox)
    return None if mailbox is None else Recipient(mailbox, letter)


def hold(session: Session, mailbox: Mailbox) -> list[Subscription]:
    """Every subscription of the mailbox's present holder, ended ones included, locked. Empty if there is no holder."""
    owner = select(Subscriber.id).where(Subscriber.canonical == mailbox.canonical)
    held = session.scalars(
        select(Subscription)
        .where(Subscription.subscriber_id == owner.scalar_subquery())
        .order_by(Subscription.newsletter)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).all()
    # A person who changed address while this waited for the lock has another mailbox now.
    present = session.scalars(owner).first()
    return [each for each in held if each.subscriber_id == present]


def _recipient(session: Session, letter: Letter) -> Mailbox | None:
    if letter.address_change_id is not None:
        change = session.get_one(AddressChange, letter.address_change_id)
        if letter.kind == LetterKind.ADDRESS_CHANGE:
            return _wanted(change)
        return _former(change)
    left = _left_since(session, letter)
    if left is not None:
        return left
    person = session.get_one(Subscriber, letter.subscriber_id, populate_existing=True)
    return Mailbox(person.canonical, person.digest, person.mailbox_digest)


def _left_since(session: Session, letter: Letter) -> Mailbox | None:
    """The mailbox that the person had when the letter was owed, if they have left it since."""
    changes = session.scalars(select(AddressChange).where(AddressChange.subscriber_id == letter.subscriber_id))
    moves: list[tuple[datetime, Mailbox | None]] = []
    for change in changes:
        if change.confirmed_at and change.confirmed_at >= letter.created_at:
            moves.append((change.confirmed_at, _former(change)))
        if change.undone_at and change.undone_at >= letter.created_at:
            moves.append((change.undone_at, _wanted(change)))
    return min(moves, key=lambda move: move[0])[1] if moves else None


def _former(change: AddressChange) -> Mailbox:
    return Mailbox(EmailAddress.parse(change.former).canonical, change.former_digest, change.former_mailbox_digest)


def _wanted(change: AddressChange) -> Mailbox | None:
    """None if the change is void."""
    if change.wanted is None or change.wanted_digest is None:
        return None
    return Mailbox(EmailAddress.parse(change.wanted).canonical, change.wanted_digest, change.wanted_mailbox_digest)


def _subscriber(session: Session, subscription_id: UUID) -> Mailbox | None:
    found = session.execute(
        select(Subscriber.canonical, Subscriber.digest, Subscriber.mailbox_digest)
        .join(Subscription, Subscription.subscriber_id == Subscriber.id)
        .where(Subscription.id == subscription_id)
    ).first()
    return Mailbox(*found) if found else None
