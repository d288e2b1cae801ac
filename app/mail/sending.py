"""One step of the postman: claim what is due, and for each letter compose, deliver, mark.

Between claim and mark no transaction is open: a slow mail server holds no lock. Whatever became untrue since the
letter was owed (confirmed, declined, suppressed, overtaken by a newer letter) is found right before sending.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from threading import Event
from uuid import UUID

import structlog
from sqlalchemy import ColumnElement, Connection, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from app import clock, consent, outbox, suppressions
from app.addresses import EmailAddress
from app.consent import Act, Actor, EventType, Step
from app.database import AnyRow, Database
from app.links import Links
from app.mail import moves
from app.mail.delivery import Carrier
from app.mail.delivery.failures import LetterRefused, RecipientRefused, TemporaryFailure
from app.mail.letters import Composition, Owed, compose
from app.newsletters.terms import Catalogue
from app.outbox import Kind, Letter, State
from app.subscriptions import feedback
from app.subscriptions.feedback import Report
from app.subscriptions.model import Status, Subscriber, Subscription

log = structlog.get_logger()

AT_MOST = 20
LEASE = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class PostOffice:
    """What the postman needs besides the database."""

    carrier: Carrier
    links: Links
    catalogue: Callable[[], Catalogue]
    slowest: timedelta
    """How long one letter can take at worst; no letter is begun with less than that left on its lease."""


def deliver_due(database: Database, office: PostOffice, stop: Event | None = None) -> int:
    """Deliver up to AT_MOST letters that are due, or fewer once `stop` is set: the rest is given back.

    Returns how many were claimed; 0 means there is nothing to do.
    """
    with database.transaction() as session:
        letters = outbox.claim(session, lease_for=max(LEASE, 2 * office.slowest), at_most=AT_MOST)
    for letter in letters:
        assert letter.leased_until is not None
        is_too_late = clock.now() + office.slowest > letter.leased_until
        if is_too_late or (stop is not None and stop.is_set()):
            with database.transaction() as session:
                outbox.release(session, letter)
        else:
            _deliver(database, office, letter)
    return len(letters)


def _deliver(database: Database, office: PostOffice, letter: Letter) -> None:
    try:
        with database.read_only() as connection:
            owed = _look_up(connection, letter, office.catalogue())
        if owed is None:
            _settle(database, letter, State.DROPPED, "")
            return
        composition = compose(owed, office.links)
        reply = office.carrier.deliver(composition.letter)
    except TemporaryFailure as failure:
        _postpone(database, letter, failure.code)
    except RecipientRefused as failure:
        _report_refusal(database, office, letter, failure)
    except LetterRefused as failure:
        _settle(database, letter, State.FAILED, failure.code)
    except SQLAlchemyError:
        raise
    except Exception as error:
        # A letter that cannot be composed must not keep the others waiting; its error text may hold the address.
        _postpone(database, letter, f"error {type(error).__name__}")
    else:
        with database.transaction() as session:
            standing = _lock(session, owed)
            if outbox.mark(session, letter, State.SENT, reply):
                _record_acceptance(session, standing, composition, reply)
        log.info("letter.sent", letter=str(letter.id), kind=letter.kind, reply=reply)


def _postpone(database: Database, letter: Letter, code: str) -> None:
    with database.transaction() as session:
        state = outbox.postpone(session, letter, code)
    log.warning("letter.postponed", state=state, letter=str(letter.id), reply=code, attempt=letter.attempts)


def _settle(database: Database, letter: Letter, state: State, reply: str) -> None:
    with database.transaction() as session:
        outbox.mark(session, letter, state, reply)
    log.info("letter.settled", state=state, letter=str(letter.id), kind=letter.kind, reply=reply)


def _report_refusal(database: Database, office: PostOffice, letter: Letter, refusal: RecipientRefused) -> None:
    """A bounce that does not have to come back first."""
    told_apart = feedback.fingerprint("letter", str(letter.id), refusal.kind)
    report = Report(refusal.kind, "smtp", told_apart, letter_id=letter.id, code=refusal.code)
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
            Subscriber.canonical,
            Subscription.id,
            Subscription.newsletter,
            Subscription.status,
            Subscription.nonce,
            Subscription.letter_id,
            suppressions.forbids_asking(Subscriber.digest, now).label("forbids_asking"),
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
    return Owed(
        letter=letter,
        address=EmailAddress(still[0].address, still[0].canonical),
        newsletters={row.id: catalogue.newsletters[row.newsletter] for row in still},
        controller=catalogue.controller,
    )


def _about(letter: Letter) -> list[ColumnElement[bool]]:
    return [Subscription.id.in_(UUID(each) for each in letter.about)] if letter.about else []


def _still_owed(letter: Letter, row: AnyRow) -> bool:
    if letter.kind == Kind.CONFIRMATION:
        newest = row.letter_id == letter.id and row.nonce == letter.about[str(row.id)]
        return row.status == Status.PENDING and newest and not row.forbids_asking
    if letter.kind == Kind.ALREADY_CONFIRMED:
        return row.status == Status.CONFIRMED and not row.forbids_mail
    if letter.kind == Kind.UNSUBSCRIBED and row.status == Status.CONFIRMED:
        return False  # they have undone it, or come back
    return not row.forbids_mail


def _lock(session: Session, owed: Owed) -> Owed:
    """Subscriptions before their letter, as erasure locks them: the other way round each would wait for the other.

    Returns what is left of it: of a subscription that was erased meanwhile no evidence may come to be any more.
    """
    theirs = select(Subscription.id).where(Subscription.id.in_(owed.newsletters))
    standing = set(session.scalars(theirs.order_by(Subscription.newsletter).with_for_update()))
    return replace(owed, newsletters={id: each for id, each in owed.newsletters.items() if id in standing})


def _record_acceptance(session: Session, owed: Owed, composition: Composition, reply: str) -> None:
    """The evidence that the letter reached the relay; for a confirmation, the link's time runs from here.

    A link to the preferences is no part of the evidence: whoever asks for one adds nothing to the log.
    """
    if owed.letter.kind == Kind.PREFERENCES:
        return
    now = clock.now()
    for subscription_id, newsletter in owed.newsletters.items():
        step = Step(
            type=EventType.LETTER_ACCEPTED,
            subscriber_id=owed.letter.subscriber_id,
            subscription_id=subscription_id,
            newsletter=newsletter.slug,
            occurred_at=now,
        )
        consent.record(session, step, Act(Actor.SERVICE, _evidence(owed, composition, reply)))
    if owed.letter.kind == Kind.CONFIRMATION:
        _extend(session, owed.letter, composition.expires_at)


def _evidence(owed: Owed, composition: Composition, reply: str) -> dict[str, consent.JsonValue]:
    return {
        "kind": owed.letter.kind,
        "language": owed.letter.language,
        "letter": str(owed.letter.id),
        "message_id": composition.letter.message_id,
        "relay_reply": reply,
        "rendered_sha256": composition.rendered_sha256,
        "template_sha256": composition.template_sha256,
        **({"address_commitment": owed.move.commitment} if owed.move else {}),
    }


def _extend(session: Session, letter: Letter, expires_at: datetime) -> None:
    session.execute(
        update(Subscription)
        .where(Subscription.letter_id == letter.id, Subscription.status == Status.PENDING)
        .values(expires_at=expires_at, version=Subscription.version + 1)
    )
