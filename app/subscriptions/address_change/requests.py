"""Requesting and declining an address change.

Nothing about the wanted address is looked up, so a request reveals nothing about it, not even by its timing. The
address gets no more mail than from signups: requests count against its recipient limit, and one person can make only a
few a day. Lock order: `database.locks`.
"""

from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from app import clock, suppressions
from app.abuse import recipient_limit
from app.addresses import Digests, EmailAddress
from app.newsletters.definitions import TRACES_KEPT_FOR
from app.outbox import LetterKind
from app.subscriptions.address_change import changes
from app.subscriptions.address_change.changes import CONFIRM_WITHIN, AddressChange
from app.subscriptions.model import Status, Subscriber, Subscription

A_DAY = 5
"""Address changes that one person may request."""
VOID = {"wanted": None, "wanted_digest": None, "wanted_mailbox_digest": None}


def ask(session: Session, subscriber_id: UUID, wanted: EmailAddress, digests: Digests) -> None:
    """Owe the wanted address a confirmation letter, in place of any earlier request of the person.

    Does nothing if it is already their address or was requested in the last 10 minutes, or if no subscription is
    confirmed. `digests` are those of the wanted address.
    """
    now = clock.now()
    recipient_limit.hold(session, [digests.budget, digests.mailbox], now)
    person = session.scalars(select(Subscriber).where(Subscriber.id == subscriber_id).with_for_update()).first()
    if person is None or person.canonical == wanted.canonical or not _may_ask(session, person, digests.address, now):
        return
    theirs = select(Subscription).where(Subscription.subscriber_id == person.id)
    confirmed = session.scalars(theirs.where(Subscription.status == Status.CONFIRMED)).all()
    if not confirmed:
        return
    due_at = recipient_limit.spend(session, digests, now)
    session.execute(
        update(AddressChange)
        .where(AddressChange.subscriber_id == person.id, AddressChange.confirmed_at.is_(None))
        .values(VOID)
    )
    change = AddressChange(
        id=uuid4(),
        subscriber_id=person.id,
        former=person.address,
        former_digest=person.digest,
        former_mailbox_digest=person.mailbox_digest,
        # A letter about a void change is never sent.
        wanted=wanted.typed if due_at else None,
        wanted_digest=digests.address if due_at else None,
        wanted_mailbox_digest=digests.mailbox if due_at else None,
        asked_at=now,
        ends_at=now + CONFIRM_WITHIN,
    )
    session.add(change)
    session.flush()
    letter = changes.owe(session, LetterKind.ADDRESS_CHANGE, change, person, confirmed)
    letter.due_at = due_at or now


def _may_ask(session: Session, person: Subscriber, digest: str, now: datetime) -> bool:
    just_asked = (
        AddressChange.confirmed_at.is_(None),
        AddressChange.wanted_digest == digest,
        AddressChange.asked_at > now - recipient_limit.COOL_DOWN,
        AddressChange.asked_at <= now + clock.AHEAD,
    )
    lately = AddressChange.asked_at > now - recipient_limit.DAY
    counted = select(func.count(), func.count().filter(*just_asked)).where(
        AddressChange.subscriber_id == person.id, lately
    )
    asked, again = session.execute(counted).one()
    return asked < A_DAY and not again


def decline(session: Session, change_id: UUID) -> None:
    """Void the open change and send the new mailbox no such mail for 30 days ("this was not me"). Idempotent.

    A confirmed change stays: it is undone from the old mailbox.
    """
    now = clock.now()
    open_ = (AddressChange.id == change_id) & AddressChange.confirmed_at.is_(None) & AddressChange.wanted.is_not(None)
    declined = session.scalars(select(AddressChange).where(open_).with_for_update()).first()
    if declined is not None:
        known_by = (declined.wanted_digest, declined.wanted_mailbox_digest)
        suppressions.note_decline(session, known_by, since=now, until=now + TRACES_KEPT_FOR)
        declined.wanted = declined.wanted_digest = declined.wanted_mailbox_digest = None
