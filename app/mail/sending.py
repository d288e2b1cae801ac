"""One step of the postman: claim what is due, and for each letter compose, deliver, mark.

Between claim and mark no transaction is open: a slow mail server holds no lock. Whatever became untrue since the
letter was owed (confirmed, declined, suppressed, overtaken by a newer letter) is found right before sending.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from threading import Event
from uuid import UUID

import structlog
from sqlalchemy import ColumnElement, Connection, select
from sqlalchemy.exc import SQLAlchemyError

from app import clock, consent, outbox, suppressions
from app.addresses import EmailAddress
from app.database import AnyRow, Database
from app.links import Links
from app.mail import acceptance, admission, moves, retries
from app.mail.admission import Measure
from app.mail.calling_back import CallingBack
from app.mail.delivery import Carrier
from app.mail.delivery.failures import LetterRefused, RecipientRefused, RelayAway, RelayBusy, TemporaryFailure
from app.mail.letters import Owed, compose
from app.mail.relay import Relay
from app.newsletters.definitions import Catalogue
from app.outbox import Kind, Letter, State
from app.subscriptions import feedback
from app.subscriptions.model import Status, Subscriber, Subscription

log = structlog.get_logger()

AT_MOST = 20
LEASE = timedelta(minutes=5)
PAUSE = timedelta(milliseconds=500)
KNOWN_BY = (Subscriber.digest, Subscriber.mailbox_digest)
LAST_TRIES = timedelta(seconds=4)
"""Of a process that is told to stop, and has ten seconds in all."""


@dataclass(frozen=True, slots=True)
class PostOffice:
    """What the postman needs besides the database."""

    carrier: Carrier
    links: Links
    catalogue: Callable[[], Catalogue]
    measure: Measure
    slowest: timedelta
    """How long one letter can take at worst; no letter is begun with less than that left on its lease."""
    relay: Relay = field(default_factory=Relay)
    calling_back: CallingBack = field(default_factory=CallingBack)
    stop: Event = field(default_factory=Event)
    """Set: what is not begun is given back."""


def deliver_due(database: Database, office: PostOffice) -> int:
    """Deliver up to AT_MOST letters that are due, as far as limits and mail server allow; give back the rest.

    Returns how many were in hand; 0 means there is nothing to do for now.
    """
    office.calling_back.call(database)
    at_most = office.relay.room(AT_MOST)
    if not at_most:
        return 0
    lease_for = max(LEASE, 2 * office.slowest)
    with database.transaction() as session:
        admitted = admission.claim(session, office.measure, lease_for=lease_for, at_most=at_most)
    for begun, letter in enumerate(admitted.letters):
        is_too_late = not outbox.is_held(letter, lease_for, at_least=office.slowest)
        if is_too_late or office.stop.is_set() or not office.relay.room(AT_MOST):
            with database.transaction() as session:
                outbox.release(session, admitted.letters[begun:])
            break
        _deliver(database, office, letter)
    return len(admitted.letters) + admitted.put_off


def _deliver(database: Database, office: PostOffice, letter: Letter) -> None:
    try:
        with database.read_only() as connection:
            owed = _look_up(connection, letter, office.catalogue())
        if owed is None:
            _settle(database, letter, State.DROPPED, "")
            return
        composition = compose(owed, office.links)
        reply = office.carrier.deliver(composition.letter)
    except (RelayAway, RelayBusy) as failure:
        _rest(database, office, letter, failure)
    except TemporaryFailure as failure:
        _postpone(database, letter, failure)
    except RecipientRefused as failure:
        _report_refusal(database, office, letter, failure)
    except LetterRefused as failure:
        _settle(database, letter, State.FAILED, failure.code)
    except SQLAlchemyError:
        raise
    except Exception as error:
        # A letter that cannot be composed must not keep the others waiting; its error text may hold the address.
        _postpone(database, letter, TemporaryFailure(f"error {type(error).__name__}"))
    else:
        _insist(office.stop, letter, lambda: acceptance.record(database, owed, composition, reply))
        log.info("letter.sent", letter=str(letter.id), kind=letter.kind, reply=reply)
        if office.relay.worked():
            _resume(database)


def _insist(stop: Event, letter: Letter, record: Callable[[], None]) -> None:
    """What is sent must be marked, or it is sent again: try while the lease runs, or a moment once told to stop.

    Doing it twice is harmless: the first time ends the lease.
    """
    assert letter.leased_until is not None
    until = time.monotonic() + (letter.leased_until - clock.now()).total_seconds()
    while True:
        try:
            return record()
        except SQLAlchemyError as error:
            if stop.is_set():
                until = min(until, time.monotonic() + LAST_TRIES.total_seconds())
                stop = Event()
            if time.monotonic() + PAUSE.total_seconds() > until:
                raise
            log.warning("letter.not_marked", letter=str(letter.id), kind=type(error).__name__)
            stop.wait(PAUSE.total_seconds())


def _rest(database: Database, office: PostOffice, letter: Letter, failure: TemporaryFailure) -> None:
    rest = office.relay.failed()
    with database.transaction() as session:
        if isinstance(failure, RelayAway):
            retries.keep_in_place(session, letter, failure.code)
        else:
            retries.hold(session, letter, failure.code, failure.wait)
    log.warning("mail_server.away", reply=failure.code, letter=str(letter.id), rest_seconds=rest.total_seconds())


def _resume(database: Database) -> None:
    with database.transaction() as session:
        letters = retries.take_up(session)
    log.info("mail_server.back", letters=letters)


def _postpone(database: Database, letter: Letter, failure: TemporaryFailure) -> None:
    with database.transaction() as session:
        state = retries.postpone(session, letter, failure.code, failure.wait)
    log.warning("letter.postponed", state=state, letter=str(letter.id), reply=failure.code, attempt=letter.attempts)


def _settle(database: Database, letter: Letter, state: State, reply: str) -> None:
    with database.transaction() as session:
        outbox.mark(session, letter, state, reply)
    log.info("letter.settled", state=state, letter=str(letter.id), kind=letter.kind, reply=reply)


def _report_refusal(database: Database, office: PostOffice, letter: Letter, refusal: RecipientRefused) -> None:
    """A bounce that does not have to come back first."""
    report = feedback.about_letter(refusal.kind, "smtp", letter.id, refusal.code)
    with database.transaction() as session:
        feedback.take(session, report, catalogue=office.catalogue())
    log.info("letter.refused", letter=str(letter.id), kind=letter.kind, bounce=report.kind, reply=refusal.code)


def _look_up(connection: Connection, letter: Letter, catalogue: Catalogue) -> Owed | None:
    """None where the letter is not owed any more."""
    if letter.kind in moves.KINDS:
        return moves.look_up(connection, letter, catalogue)
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
            suppressions.forbids_asking(KNOWN_BY, now).label("forbids_asking"),
            suppressions.forbids_mail(Subscriber.digest, now).label("forbids_mail"),
        )
        .join(Subscription, Subscription.subscriber_id == Subscriber.id)
        .where(Subscriber.id == letter.subscriber_id, *_about(letter))
        # The letter comes from the first, and its one-click leaves that one: better one that the person gets.
        .order_by(Subscription.status != Status.CONFIRMED, Subscription.newsletter)
    ).all()
    still = [row for row in found if _still_owed(letter, row)]
    if not still or catalogue.controller is None:
        return None
    # What the evidence commits to is what goes on the envelope, whatever stands beside it in the row.
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
    if letter.kind == Kind.CONFIRMATION:
        newest = row.letter_id == letter.id and row.nonce == letter.about[str(row.id)]
        return row.status == Status.PENDING and newest and not row.forbids_asking
    if letter.kind in (Kind.ALREADY_CONFIRMED, Kind.RESUBSCRIBED):
        return row.status == Status.CONFIRMED and not row.forbids_mail
    if letter.kind == Kind.UNSUBSCRIBED and row.status == Status.CONFIRMED:
        return False  # they have undone it, or come back
    return not row.forbids_mail
