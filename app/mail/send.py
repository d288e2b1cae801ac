"""Sends one letter over one connection, and records what became of it unless the server accepted it.

Invariant: while a server is waited for, no transaction is open, so a slow one holds no lock. A letter that became
obsolete since it was queued (confirmed, declined, suppressed, overtaken by a newer letter) is dropped before sending.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import timedelta
from threading import Event

import structlog
from sqlalchemy.exc import SQLAlchemyError

from app import feedback, outbox
from app.database import Database
from app.links import Links
from app.mail import lookup, retry
from app.mail.acceptance import AcceptedLetter
from app.mail.circuit_breaker import CircuitBreaker
from app.mail.claim import Measure
from app.mail.compose import compose
from app.mail.delivery import Relay, Transport
from app.mail.delivery.failures import (
    AnswerMissing,
    LetterRefused,
    NoFurtherConnection,
    RecipientRefused,
    RelayAway,
    RelayBusy,
    RelayRefused,
    TemporaryFailure,
)
from app.mail.envelope import EnvelopeMemory
from app.mail.extra_headers import ExtraHeaders
from app.mail.in_progress import ClaimedLetter
from app.mail.lease_keeper import LEASE, LeaseKeeper
from app.mail.owed import Owed
from app.mail.recall import Recall
from app.newsletters.definitions import Catalogue
from app.outbox import Letter, State

log = structlog.get_logger()

TO_BEGIN = timedelta(minutes=1)
"""No letter is begun with less than that left on its lease."""
FRESH_SECONDS = 1.0
"""A recipient that was looked up longer ago is looked up again."""


@dataclass(frozen=True, slots=True)
class SendingContext:
    """Dependencies of the mail loop, besides the database."""

    relay: Relay
    links: Links
    catalogue: Callable[[], Catalogue]
    measure: Measure
    envelope: EnvelopeMemory
    templates: Callable[[], AbstractContextManager[object]]
    """Opens the context within which a thread can render letters."""
    extra_headers: ExtraHeaders = field(default_factory=ExtraHeaders)
    circuit_breaker: CircuitBreaker = field(default_factory=CircuitBreaker)
    recall: Recall = field(default_factory=Recall)
    stop: Event = field(default_factory=Event)
    """Once set, letters that are not begun are released."""


def send(
    database: Database, context: SendingContext, transport: Transport, claimed: ClaimedLetter
) -> AcceptedLetter | None:
    """None unless the server accepted the letter: then what became of it is written.

    Raises NoFurtherConnection, after which it was not begun, and SQLAlchemyError.
    """
    letter = claimed.letter
    keeper = LeaseKeeper(database, letter)
    try:
        transport.open()
        owed = _owed_still(database, context, claimed)
        if owed is None:
            return None
        composition = compose(owed, context.links, context.extra_headers)
        with keeper:
            reply = transport.deliver(composition.letter, keeper)
    except NoFurtherConnection:
        raise
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
        _postpone(database, letter, _at_fault(error))
    else:
        context.envelope.note()
        if context.circuit_breaker.worked():
            _resume(database)
        return AcceptedLetter(owed, composition, reply)
    return None


def _owed_still(database: Database, context: SendingContext, claimed: ClaimedLetter) -> Owed | None:
    """None if the lease has too little time left, or the letter is not owed any more: it is given back or dropped."""
    if not outbox.is_held(claimed.letter, LEASE, at_least=TO_BEGIN):
        with database.transaction() as session:
            outbox.release(session, [claimed.letter])
        return None
    if time.monotonic() - claimed.looked_up_at < FRESH_SECONDS:
        return claimed.owed
    return next(iter(look_up(database, context, [claimed.letter])), None)


def look_up(database: Database, context: SendingContext, letters: Sequence[Letter]) -> list[Owed]:
    """In their order. Those that are not owed any more, or were sent often enough, are marked as such and left out."""
    try:
        with database.read_only() as connection:
            found = lookup.look_up(connection, letters, context.catalogue())
    except SQLAlchemyError:
        raise
    except Exception as error:
        if len(letters) > 1:
            return [owed for each in letters for owed in look_up(database, context, [each])]
        _postpone(database, letters[0], _at_fault(error))
        return []
    for letter in letters:
        if letter.id not in found:
            _settle(database, letter, State.DROPPED, "")
        elif letter.unanswered >= retry.MOST_UNANSWERED:
            _settle(database, letter, State.FAILED, retry.NO_ANSWER)
    return [found[each.id] for each in letters if each.id in found and each.unanswered < retry.MOST_UNANSWERED]


def _at_fault(error: Exception) -> TemporaryFailure:
    """A letter that cannot be composed must not keep the others waiting. The text of the error may hold the address."""
    return TemporaryFailure(f"error {type(error).__name__}")


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
    report = feedback.about_letter(refusal.kind, "smtp", letter.id, code=refusal.code, counts=True)
    with database.transaction() as session:
        feedback.take(session, report, catalogue=context.catalogue())
    log.info("letter.refused", letter=str(letter.id), kind=letter.kind, bounce=report.kind, reply=refusal.code)
