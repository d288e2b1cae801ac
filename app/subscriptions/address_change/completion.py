"""Confirming an address change, from the new mailbox, and undoing it, from the old one.

The recipient limits of both addresses are locked first, which blocks signups for either address until the transaction
ends: so no signup refers to an address that the person no longer has. Lock order: `database.locks`.
"""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from app import clock
from app.abuse import recipient_limit
from app.addresses import EmailAddress
from app.consent import Act, Actor
from app.outbox import LetterKind
from app.subscriptions import leavings, renewal, transitions
from app.subscriptions.address_change import changes
from app.subscriptions.address_change.changes import UNDO_WITHIN, AddressChange, ChangeStanding, standing
from app.subscriptions.model import Status, Subscriber, Subscription
from app.subscriptions.renewal import Renewal
from app.subscriptions.subscriber import known_by, tell_change

ADDRESS_CHANGED = Act(Actor.SERVICE, {"method": "address changed"})


@dataclass(frozen=True, slots=True)
class NewMailbox:
    address: EmailAddress
    digest: str
    mailbox_digest: str | None


@dataclass(frozen=True, slots=True)
class _Held:
    """An address change with all affected rows, locked."""

    change: AddressChange
    person: Subscriber
    subscriptions: list[Subscription]
    others: list[Subscription]
    """Subscriptions of another subscriber who has the target address."""


def confirm(session: Session, change_id: UUID, act: Act) -> ChangeStanding:
    """Move the person, and owe the old address the notice. Idempotent. `act` names how it was confirmed."""
    found = session.get(AddressChange, change_id)
    if found is None or found.wanted is None or found.wanted_digest is None:
        return ChangeStanding.OVER
    there = NewMailbox(EmailAddress.parse(found.wanted), found.wanted_digest, found.wanted_mailbox_digest)
    held = _hold(session, found, there)
    now = clock.now()
    if held is None or standing(held.change, now) is not ChangeStanding.OPEN:
        return standing(held.change, now) if held else ChangeStanding.OVER
    if not any(each.status == Status.CONFIRMED for each in held.subscriptions):
        return ChangeStanding.OVER
    if not _make_way(session, held.others):
        return ChangeStanding.TAKEN
    asked = Act(Actor.MAILBOX_HOLDER, {"method": "address_change", "change": str(change_id)})
    held.change.confirmed_at, held.change.ends_at = now, now + UNDO_WITHIN
    _keep_leavings(session, held)
    moved = _move(session, held, there, Renewal(asked, held.change.asked_at, act))
    changes.owe(session, LetterKind.ADDRESS_CHANGED, held.change, held.person, moved)
    return ChangeStanding.CONFIRMED


def undo(session: Session, change_id: UUID, act: Act) -> ChangeStanding:
    """Move the person back, whatever their present address, and delete later change requests. Idempotent."""
    found = session.get(AddressChange, change_id)
    if found is None:
        return ChangeStanding.OVER
    back = NewMailbox(EmailAddress.parse(found.former), found.former_digest, found.former_mailbox_digest)
    held = _hold(session, found, back)
    now = clock.now()
    if held is None or standing(held.change, now) is not ChangeStanding.CONFIRMED:
        return standing(held.change, now) if held else ChangeStanding.OVER
    if not _make_way(session, held.others):
        return ChangeStanding.TAKEN
    held.change.undone_at = now
    # The holder of the new mailbox could continue with these.
    later = AddressChange.asked_at >= held.change.asked_at
    session.execute(
        delete(AddressChange).where(AddressChange.subscriber_id == held.person.id, later, AddressChange.id != change_id)
    )
    if held.person.canonical != back.address.canonical:
        _move(session, held, back, Renewal(Act(act.actor, {"method": "address_change_undone"}), now, act))
    return ChangeStanding.UNDONE


def _hold(session: Session, found: AddressChange, there: NewMailbox) -> _Held | None:
    """None if the person has been erased meanwhile."""
    present = session.execute(known_by(found.subscriber_id)).first() or ()
    digests = (found.former_digest, found.former_mailbox_digest, there.digest, there.mailbox_digest, *present)
    recipient_limit.hold(session, filter(None, digests), clock.now())
    who = (Subscriber.id == found.subscriber_id) | (Subscriber.canonical == there.address.canonical)
    subscriptions = session.scalars(
        select(Subscription)
        .join(Subscriber, Subscription.subscriber_id == Subscriber.id)
        .where(who)
        .order_by(Subscription.subscriber_id, Subscription.newsletter)
        .with_for_update(of=Subscription)
        .execution_options(populate_existing=True)
    ).all()
    people = session.scalars(
        select(Subscriber)
        .where(who)
        .order_by(Subscriber.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).all()
    change = session.scalars(
        select(AddressChange)
        .where(AddressChange.id == found.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).first()
    person = next((each for each in people if each.id == found.subscriber_id), None)
    if person is None or change is None:
        return None
    theirs = [each for each in subscriptions if each.subscriber_id == person.id]
    return _Held(change, person, theirs, [each for each in subscriptions if each.subscriber_id != person.id])


def _make_way(session: Session, others: list[Subscription]) -> bool:
    """Lapse unconfirmed requests for the target address: anybody can make those, so they do not block its holder.

    False if another person has a subscription there that is or ever was confirmed, or that mail feedback
    ended; then nothing changes.
    """
    if not all(map(transitions.is_unconfirmed, others)):
        return False
    for each in others:
        transitions.give_up(session, each, ADDRESS_CHANGED)
    return True


def _keep_leavings(session: Session, held: _Held) -> None:
    """The subscriptions that ended move along, so nothing else says any more that the former address has left."""
    for each in held.subscriptions:
        if leavings.has_left(each) and each.ended_at:
            leavings.keep(session, each, held.person.digest, each.ended_at)


def _move(session: Session, held: _Held, there: NewMailbox, how: Renewal) -> list[Subscription]:
    """Move the confirmed subscriptions; returns them. Pending ones lapse: their letter is in the old mailbox.

    So do declined ones, which an undo would make pending.
    """
    kept = [each for each in held.subscriptions if not transitions.is_unconfirmed(each)]
    for each in held.subscriptions:
        if transitions.is_requested(each):
            transitions.give_up(session, each, ADDRESS_CHANGED)
    before = held.person.commitment
    held.person.address, held.person.canonical = there.address.typed, there.address.canonical
    held.person.digest, held.person.mailbox_digest = there.digest, there.mailbox_digest
    for each in kept:
        was = each.former_commitment or before
        each.former_commitment = None if was == held.person.commitment else was
        each.version += 1
    session.flush()
    moved = [each for each in kept if each.status == Status.CONFIRMED]
    for each in moved:
        renewal.renew(session, each, how)
    leavings.forget(session, moved)
    changed = {**how.asked.details, "address_commitment": held.person.commitment, "changed": "address"}
    tell_change(session, kept, Act(how.confirmed.actor, changed))
    return moved
