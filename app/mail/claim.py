"""Send limits: letters are claimed as far as the throttles allow; letters that are put off do not count.

Invariant: a claim spends and locks, so concurrent workers together never exceed a limit. A letter whose domain,
newsletter or hourly budget is used up is put off and the others go on; to the outside it is as if it had been owed
later. If a worker dies with claimed letters, they are counted again: fewer letters go, never more.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass
from datetime import timedelta
from uuid import UUID

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from app import outbox
from app.mail import order, throttle
from app.mail.throttle import Rate, Tally, ThrottleKind
from app.outbox import Letter, LetterKind
from app.subscriptions.model import Subscriber, Subscription
from config import SendLimits

log = structlog.get_logger()

ALL: str = ThrottleKind.LETTERS
UNPROVEN = throttle.an_hour(60, burst=10)
"""Per newsletter: confirmations that were requested during an attack without proof of work."""


@dataclass(frozen=True, slots=True)
class Measure:
    """The send limits, and the key for the digests of recipient domains."""

    limits: SendLimits
    key: str


@dataclass(frozen=True, slots=True)
class Admitted:
    letters: Sequence[Letter]
    put_off: int


def claim(session: Session, measure: Measure, *, lease_for: timedelta, at_most: int) -> Admitted:
    """As `order.claim`, within the limits. Without limits, it costs no additional statement."""
    in_all = _overall_throttle(session, measure.limits)
    if in_all:
        tally, rate = in_all
        at_most = min(at_most, tally.room(ALL, rate))
    if not at_most:
        return Admitted([], 0)
    claimed = order.claim(session, lease_for=lease_for, at_most=at_most)
    admitted = _admit(session, measure, claimed)
    if in_all and admitted:
        tally.spend(ALL, rate, len(admitted))
    return Admitted(admitted, len(claimed) - len(admitted))


def _overall_throttle(session: Session, limits: SendLimits) -> tuple[Tally, Rate] | None:
    """Locked before the letters, so that the worker that holds it is never blocked by one that waits for it."""
    if not limits.letters_a_minute:
        return None
    return throttle.lock(session, [ALL]), throttle.a_minute(limits.letters_a_minute)


def _admit(session: Session, measure: Measure, letters: Sequence[Letter]) -> list[Letter]:
    limits = measure.limits
    is_limited = any(astuple(limits)[1:]) or any(letter.is_unproven for letter in letters)
    if not letters or not is_limited:
        return list(letters)
    domains, newsletters = _domains(session, measure.key, letters), _newsletters(session, letters)
    rates = {
        letter.id: dict(_rates(limits, letter, domains[letter.subscriber_id], _of(letter, newsletters)))
        for letter in letters
    }
    keys = {key for each in rates.values() for key in each}
    if not keys:
        return list(letters)
    tally = throttle.lock(session, keys)
    return [letter for letter in letters if _may_go(session, tally, letter, rates[letter.id])]


def _may_go(session: Session, tally: Tally, letter: Letter, rates: Mapping[str, Rate]) -> bool:
    is_new = letter.due_at == letter.created_at
    if not (is_new and tally.has_pending_slots(rates)) and tally.take(rates):
        return True
    turn = tally.turn(rates) if is_new else tally.again(rates)
    outbox.put_off(session, letter, turn)
    log.info("letter.put_off", letter=str(letter.id), kind=letter.kind, until=turn.isoformat())
    return False


def _rates(limits: SendLimits, letter: Letter, domain: str, newsletters: Sequence[str]) -> Iterator[tuple[str, Rate]]:
    """The throttles that the letter has to pass."""
    yield from _limited(ThrottleKind.TO_DOMAIN.of(domain), limits.letters_a_minute_to_a_domain, throttle.a_minute)
    if letter.kind != LetterKind.CONFIRMATION:
        return
    yield from _limited(ThrottleKind.CONFIRMATIONS, limits.confirmations_an_hour, _hourly)
    yield from _limited(
        ThrottleKind.CONFIRMATIONS_TO_DOMAIN.of(domain), limits.confirmations_an_hour_to_a_domain, _hourly
    )
    for slug in newsletters:
        yield from _limited(
            ThrottleKind.CONFIRMATIONS_FOR_NEWSLETTER.of(slug),
            limits.confirmations_an_hour_for_a_newsletter,
            _hourly,
        )
        if letter.is_unproven:
            yield ThrottleKind.UNPROVEN_FOR_NEWSLETTER.of(slug), UNPROVEN


def _limited(key: str, letters: int, rate: Callable[[int], Rate]) -> Iterator[tuple[str, Rate]]:
    if letters:
        yield key, rate(letters)


def _hourly(letters: int) -> Rate:
    return throttle.an_hour(letters, burst=letters)


def _domains(session: Session, key: str, letters: Sequence[Letter]) -> dict[UUID, str]:
    """Digests of the recipients' domains, by subscriber id."""
    found = select(Subscriber.id, Subscriber.canonical).where(
        Subscriber.id.in_({each.subscriber_id for each in letters})
    )
    return {row.id: throttle.domain_digest(key, row.canonical.rpartition("@")[2]) for row in session.execute(found)}


def _newsletters(session: Session, letters: Sequence[Letter]) -> dict[UUID, str]:
    about = {UUID(each) for letter in letters if letter.kind == LetterKind.CONFIRMATION for each in letter.about}
    found = select(Subscription.id, Subscription.newsletter).where(Subscription.id.in_(about))
    return {row.id: row.newsletter for row in session.execute(found)} if about else {}


def _of(letter: Letter, newsletters: Mapping[UUID, str]) -> list[str]:
    return sorted({newsletters[UUID(each)] for each in letter.about if UUID(each) in newsletters})
