"""One step of the mail loop: claim due letters; compose, deliver and mark each.

Invariant: between claim and mark no transaction is open, so a slow mail server holds no lock. A letter that became
obsolete since it was queued (confirmed, declined, suppressed, overtaken by a newer letter) is dropped before sending.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from threading import Event

import structlog
from sqlalchemy.exc import SQLAlchemyError

from app import clock, feedback, outbox
from app.database import Database
from app.links import Links
from app.mail import acceptance, claim, lookup, retry
from app.mail.circuit_breaker import CircuitBreaker
from app.mail.claim import Measure
from app.mail.compose import Owed, compose
from app.mail.delivery import Transport
from app.mail.delivery.failures import (
    AnswerMissing,
    LetterRefused,
    RecipientRefused,
    RelayAway,
    RelayBusy,
    RelayRefused,
    TemporaryFailure,
)
from app.mail.envelope import EnvelopeMemory
from app.mail.lease_keeper import LEASE, LeaseKeeper
from app.mail.recall import Recall
from app.newsletters.definitions import Catalogue
from app.outbox import Letter, State

log = structlog.get_logger()

AT_MOST = 20
TO_BEGIN = timedelta(minutes=1)
"""No letter is begun with less than that left on its lease."""
RETRY_PAUSE = timedelta(milliseconds=500)
LAST_TRIES = timedelta(seconds=4)
"""For a process that is told to stop, and has ten seconds in all."""


@dataclass(frozen=True, slots=True)
class SendingContext:
    """Dependencies of the mail loop, besides the database."""

    transport: Transport
    links: Links
    catalogue: Callable[[], Catalogue]
    measure: Measure
    envelope: EnvelopeMemory
    circuit_breaker: CircuitBreaker = field(default_factory=CircuitBreaker)
    recall: Recall = field(default_factory=Recall)
    stop: Event = field(default_factory=Event)
    """Once set, letters that are not begun are released."""


def deliver_due(database: Database, context: SendingContext) -> int:
    """Deliver up to AT_MOST letters that are due, as far as limits and mail server allow; release the rest.

    Returns how many were claimed or put off; 0 means there is nothing to do for now.
    """
    context.recall.call(database)
    context.envelope.restore()
    at_most = context.circuit_breaker.room(AT_MOST)
    if not at_most:
        return 0
    with database.transaction() as session:
        admitted = claim.claim(session, context.measure, lease_for=LEASE, at_most=at_most)
    for begun, letter in enumerate(admitted.letters):
        is_too_late = not outbox.is_held(letter, LEASE, at_least=TO_BEGIN)
        if is_too_late or context.stop.is_set() or not context.circuit_breaker.room(AT_MOST):
            with database.transaction() as session:
                outbox.release(session, admitted.letters[begun:])
            break
        _deliver(database, context, letter)
    return len(admitted.letters) + admitted.put_off


def _deliver(database: Database, context: SendingContext, letter: Letter) -> None:
    keeper = LeaseKeeper(database, letter)
    try:
        owed = _look_up(database, context, letter)
        if owed is None:
            return
        composition = compose(owed, context.links)
        context.transport.open()
        if not _is_still_held(database, letter):
            return
        with keeper:
            reply = context.transport.deliver(composition.letter, keeper)
    except (RelayAway, RelayBusy, RelayRefused) as failure:
        _back_off(database, context, letter, failure)
    except AnswerMissing as failure:
        _leave_unanswered(database, context, keeper, failure)
    except TemporaryFailure as failure:
        _postpone(database, letter, failure)
    except RecipientRefused as failure:
        _report_refusal(database, context, letter, failure)
    except LetterRefused as failure:
        _settle(database, letter, State.FAILED, failure.code)
    except SQLAlchemyError:
        raise
    except Exception as error:
        # A letter that cannot be composed must not keep the others waiting; its error text may hold the address.
        _postpone(database, letter, TemporaryFailure(f"error {type(error).__name__}"))
    else:
        _record_acceptance(context.stop, letter, lambda: acceptance.record(database, owed, composition, reply))
        log.info("letter.sent", letter=str(letter.id), kind=letter.kind, reply=reply)
        context.envelope.note()
        if context.circuit_breaker.worked():
            _resume(database)


def _look_up(database: Database, context: SendingContext, letter: Letter) -> Owed | None:
    """None if the letter is not owed any more, or was sent often enough: it is marked as such."""
    with database.read_only() as connection:
        owed = lookup.look_up(connection, letter, context.catalogue())
    if owed is None:
        _settle(database, letter, State.DROPPED, "")
    elif letter.unanswered >= retry.MOST_UNANSWERED:
        _settle(database, letter, State.FAILED, retry.NO_ANSWER)
        return None
    return owed


def _is_still_held(database: Database, letter: Letter) -> bool:
    """Connecting may have taken longer than the lease. If so, the letter is given back."""
    if outbox.is_held(letter, LEASE, at_least=TO_BEGIN):
        return True
    with database.transaction() as session:
        outbox.release(session, [letter])
    return False


def _record_acceptance(stop: Event, letter: Letter, record: Callable[[], None]) -> None:
    """Retries until the lease ends, or for LAST_TRIES once told to stop: an unmarked letter is sent again.

    Idempotent: the first success ends the lease.
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
            if time.monotonic() + RETRY_PAUSE.total_seconds() > until:
                raise
            log.warning("letter.not_marked", letter=str(letter.id), kind=type(error).__name__)
            stop.wait(RETRY_PAUSE.total_seconds())


def _back_off(database: Database, context: SendingContext, letter: Letter, failure: TemporaryFailure) -> None:
    rest = context.circuit_breaker.failed()
    with database.transaction() as session:
        if isinstance(failure, RelayAway):
            state = retry.keep_in_place(session, letter, failure.code)
        elif isinstance(failure, RelayRefused):
            state = retry.step_back(session, letter, failure.code)
        else:
            state = retry.hold(session, letter, failure.code, failure.wait)
    event = "mail_server.refuses" if isinstance(failure, RelayRefused) else "mail_server.away"
    rest_seconds = rest.total_seconds()
    log.warning(event, reply=failure.code, letter=str(letter.id), state=state, rest_seconds=rest_seconds)


def _leave_unanswered(database: Database, context: SendingContext, keeper: LeaseKeeper, failure: AnswerMissing) -> None:
    letter = keeper.letter
    context.circuit_breaker.failed()
    with database.transaction() as session:
        if not keeper.is_noted:
            retry.note_unanswered(session, letter)
        state = retry.leave_unanswered(session, letter)
    log.warning("letter.unanswered", state=state, letter=str(letter.id), reply=failure.code)


def _resume(database: Database) -> None:
    with database.transaction() as session:
        letters = retry.release_held(session)
    log.info("mail_server.back", letters=letters)


def _postpone(database: Database, letter: Letter, failure: TemporaryFailure) -> None:
    with database.transaction() as session:
        state = retry.postpone(session, letter, failure.code, failure.wait)
    log.warning("letter.postponed", state=state, letter=str(letter.id), reply=failure.code, attempt=letter.deliveries)


def _settle(database: Database, letter: Letter, state: State, reply: str) -> None:
    with database.transaction() as session:
        outbox.mark(session, letter, state, reply)
    log.info("letter.settled", state=state, letter=str(letter.id), kind=letter.kind, reply=reply)


def _report_refusal(database: Database, context: SendingContext, letter: Letter, refusal: RecipientRefused) -> None:
    """Handles the refusal like a bounce."""
    report = feedback.about_letter(refusal.kind, "smtp", letter.id, refusal.code)
    with database.transaction() as session:
        feedback.take(session, report, catalogue=context.catalogue())
    log.info("letter.refused", letter=str(letter.id), kind=letter.kind, bounce=report.kind, reply=refusal.code)
