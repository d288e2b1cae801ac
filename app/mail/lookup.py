"""Looks up the recipients and newsletters of letters right before sending.

Invariant: a letter that became obsolete since it was queued (confirmed, declined, suppressed, overtaken by a newer
one) is no longer owed.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from uuid import UUID

from sqlalchemy import Connection, bindparam, select

from app import clock, consent, suppressions
from app.addresses import EmailAddress
from app.database import AnyRow, Instant, json_insert
from app.database.prepared import PreparedStatement
from app.mail import address_change_letters
from app.mail.owed import Owed
from app.newsletters.definitions import Catalogue
from app.outbox import Letter, LetterKind
from app.subscriptions import stated_requests
from app.subscriptions.model import Status, Subscriber, Subscription

_KNOWN_BY = (Subscriber.digest, Subscriber.mailbox_digest)


def look_up(connection: Connection, letters: Sequence[Letter], catalogue: Catalogue) -> Mapping[UUID, Owed]:
    """By letter id; a letter that is no longer owed is missing. Two statements, but for address changes."""
    moves = [letter for letter in letters if letter.kind in address_change_letters.KINDS]
    found = {each.id: address_change_letters.look_up(connection, each, catalogue) for each in moves}
    usual = [letter for letter in letters if letter.id not in found]
    rows = _rows(connection, usual)
    found |= {each.id: _owed(each, rows[each.subscriber_id], catalogue) for each in usual}
    owed = {id: each for id, each in found.items() if each}
    return {**owed, **_with_origins(connection, [each for each in owed.values() if _asks(each.letter)])}


def _asks(letter: Letter) -> bool:
    return letter.kind == LetterKind.CONFIRMATION


def _with_origins(connection: Connection, asking: Sequence[Owed]) -> Mapping[UUID, Owed]:
    origins = stated_requests.of(connection, {each.letter.id: [*each.newsletters] for each in asking})
    return {each.letter.id: replace(each, origin=origins[each.letter.id]) for each in asking}


def _rows(connection: Connection, letters: Sequence[Letter]) -> Mapping[UUID, Sequence[AnyRow]]:
    """By subscriber id."""
    recipients = json_insert.texts(sorted({str(letter.subscriber_id) for letter in letters}))
    rows = defaultdict(list)
    if letters:
        parameters = {"recipients": recipients, "now": clock.now()}
        for row in _statement(connection.dialect.name).run(connection, parameters):
            rows[row.subscriber_id].append(row)
    return rows


@cache
def _statement(dialect: str) -> PreparedStatement:
    now = bindparam("now", type_=Instant)
    return PreparedStatement(
        select(
            Subscriber.id.label("subscriber_id"),
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
        .where(Subscriber.id.in_(json_insert.select_ids("recipients", dialect)))
        # The first newsletter is the sender and the target of one-click: prefer a confirmed one.
        .order_by(Subscription.status != Status.CONFIRMED, Subscription.newsletter)
    )


def _owed(letter: Letter, rows: Sequence[AnyRow], catalogue: Catalogue) -> Owed | None:
    still = [row for row in rows if _still_owed(letter, row)]
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


def _still_owed(letter: Letter, row: AnyRow) -> bool:
    if letter.about and str(row.id) not in letter.about:
        return False
    if letter.kind == LetterKind.CONFIRMATION:
        newest = row.letter_id == letter.id and row.nonce == letter.about[str(row.id)]
        return row.status == Status.PENDING and newest and not row.forbids_asking
    if letter.kind in (LetterKind.ALREADY_CONFIRMED, LetterKind.RESUBSCRIBED):
        return row.status == Status.CONFIRMED and not row.forbids_mail
    if letter.kind == LetterKind.UNSUBSCRIBED and row.status == Status.CONFIRMED:
        return False  # undone, or subscribed again
    return not row.forbids_mail
