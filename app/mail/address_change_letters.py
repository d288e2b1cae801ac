"""Letters about an address change: they go to an address that is not yet, or no longer, the subscriber's."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, select

from app import clock, consent, suppressions
from app.addresses import EmailAddress
from app.database import AnyRow
from app.mail.owed import AddressChangeDetails, Owed
from app.newsletters.definitions import Catalogue
from app.outbox import Letter, LetterKind
from app.subscriptions.address_change import changes
from app.subscriptions.address_change.changes import AddressChange, ChangeStanding
from app.subscriptions.model import Status, Subscriber, Subscription

KINDS = (LetterKind.ADDRESS_CHANGE, LetterKind.ADDRESS_CHANGED)


def look_up(connection: Connection, letter: Letter, catalogue: Catalogue) -> Owed | None:
    """The letter to the new address covers confirmed subscriptions only; None if it is no longer owed.

    The notice to the old address is owed even if all subscriptions have ended since: it is about the address.
    """
    now = clock.now()
    about = Subscription.id.in_(UUID(each) for each in letter.about)
    asked = (
        _CHANGE.add_columns(_suppressed(letter, now).label("suppressed"), Subscription.id, Subscription.newsletter)
        .join(Subscription, Subscription.subscriber_id == Subscriber.id)
        .where(AddressChange.id == letter.address_change_id, about)
        .order_by(Subscription.status != Status.CONFIRMED, Subscription.newsletter)
    )
    if letter.kind == LetterKind.ADDRESS_CHANGE:
        asked = asked.where(Subscription.status == Status.CONFIRMED)
    found = connection.execute(asked).all()
    if not found or catalogue.controller is None or not _still_owed(letter, found[0], now):
        return None
    recipient, move = _ends(letter, found[0])
    newsletters = {row.id: catalogue.newsletters[row.newsletter] for row in found}
    commitment = consent.commitment(found[0].commitment_key, recipient)
    return Owed(letter, recipient, newsletters, catalogue.controller, commitment, move)


_CHANGE = select(
    AddressChange.id.label("change_id"),
    AddressChange.former,
    AddressChange.wanted,
    AddressChange.asked_at,
    AddressChange.confirmed_at,
    AddressChange.undone_at,
    AddressChange.ends_at,
    Subscriber.commitment_key,
).join(Subscriber, Subscriber.id == AddressChange.subscriber_id)


def _suppressed(letter: Letter, now: datetime) -> ColumnElement[bool]:
    if letter.kind == LetterKind.ADDRESS_CHANGE:
        known_by = (AddressChange.wanted_digest, AddressChange.wanted_mailbox_digest)
        return suppressions.forbids_asking(known_by, now)
    return suppressions.forbids_mail(AddressChange.former_digest, now)


def _still_owed(letter: Letter, row: AnyRow, now: datetime) -> bool:
    stands = ChangeStanding.OPEN if letter.kind == LetterKind.ADDRESS_CHANGE else ChangeStanding.CONFIRMED
    return changes.standing(row, now) is stands and not row.suppressed


def _ends(letter: Letter, row: AnyRow) -> tuple[EmailAddress, AddressChangeDetails]:
    former, wanted = EmailAddress.parse(row.former), EmailAddress.parse(row.wanted)
    asks = letter.kind == LetterKind.ADDRESS_CHANGE
    recipient, elsewhere = (wanted, former) if asks else (former, wanted)
    move = AddressChangeDetails(
        change_id=row.change_id,
        elsewhere=elsewhere,
        at=row.asked_at if asks else row.confirmed_at,
        ends_at=row.ends_at,
    )
    return recipient, move
