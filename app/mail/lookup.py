"""Looks up a letter's recipient and newsletters right before sending.

Invariant: a letter that became obsolete since it was queued (confirmed, declined, suppressed, overtaken by a newer
one) is no longer owed.
"""

from uuid import UUID

from sqlalchemy import ColumnElement, Connection, select

from app import clock, consent, suppressions
from app.addresses import EmailAddress
from app.database import AnyRow
from app.mail import address_change_letters
from app.mail.compose import Owed
from app.newsletters.definitions import Catalogue
from app.outbox import Letter, LetterKind
from app.subscriptions.model import Status, Subscriber, Subscription

_KNOWN_BY = (Subscriber.digest, Subscriber.mailbox_digest)


def look_up(connection: Connection, letter: Letter, catalogue: Catalogue) -> Owed | None:
    """None if the letter is no longer owed."""
    if letter.kind in address_change_letters.KINDS:
        return address_change_letters.look_up(connection, letter, catalogue)
    now = clock.now()
    found = connection.execute(
        select(
            Subscriber.address,
            Subscriber.commitment_key,
            Subscription.id,
            Subscription.newsletter,
            Subscription.status,
            Subscription.nonce,
            Subscription.letter_id,
            suppressions.forbids_asking(_KNOWN_BY, now).label("forbids_asking"),
            suppressions.forbids_mail(Subscriber.digest, now).label("forbids_mail"),
        )
        .join(Subscription, Subscription.subscriber_id == Subscriber.id)
        .where(Subscriber.id == letter.subscriber_id, *_about(letter))
        # The first newsletter is the sender and the target of one-click: prefer a confirmed one.
        .order_by(Subscription.status != Status.CONFIRMED, Subscription.newsletter)
    ).all()
    still = [row for row in found if _still_owed(letter, row)]
    if not still or catalogue.controller is None:
        return None
    # The evidence must commit to the envelope's address, so other columns of the row are not used.
    address = EmailAddress.of(still[0].address)
    return Owed(
        letter=letter,
        address=address,
        newsletters={row.id: catalogue.newsletters[row.newsletter] for row in still},
        controller=catalogue.controller,
        commitment=consent.commitment(still[0].commitment_key, address),
    )


def _about(letter: Letter) -> list[ColumnElement[bool]]:
    return [Subscription.id.in_(UUID(each) for each in letter.about)] if letter.about else []


def _still_owed(letter: Letter, row: AnyRow) -> bool:
    if letter.kind == LetterKind.CONFIRMATION:
        newest = row.letter_id == letter.id and row.nonce == letter.about[str(row.id)]
        return row.status == Status.PENDING and newest and not row.forbids_asking
    if letter.kind in (LetterKind.ALREADY_CONFIRMED, LetterKind.RESUBSCRIBED):
        return row.status == Status.CONFIRMED and not row.forbids_mail
    if letter.kind == LetterKind.UNSUBSCRIBED and row.status == Status.CONFIRMED:
        return False  # undone, or subscribed again
    return not row.forbids_mail
