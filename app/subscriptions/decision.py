"""Decides what a request leads to: a pure function of facts, which a table of examples can check."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from enum import Enum, auto
from uuid import UUID

from app import clock
from app.abuse import recipient_limit
from app.addresses import EmailAddress
from app.consent import JsonValue
from app.database import AnyRow
from app.newsletters.definitions import Newsletter
from app.outbox import OWED, LetterKind
from app.subscriptions import leavings
from app.subscriptions.address_policy import is_welcome
from app.subscriptions.model import Status


class HoneypotResult(Enum):
    HUMAN = auto()
    TRAPPED = auto()
    """The honeypot field, which people do not see, was filled in."""


@dataclass(frozen=True, slots=True)
class StatedRequest:
    """What another service states of the request that it makes on a person's behalf."""

    requested_at: datetime | None
    """When the person asked. Whoever has left since then is not asked; without it, nobody is who has left."""


@dataclass(frozen=True, slots=True)
class Signup:
    """A complete and valid request to subscribe."""

    address: EmailAddress
    newsletters: tuple[Newsletter, ...]
    language: str
    asked_from: str | None
    """The site of the form, if it is ours or the newsletter's: shown in the letter."""
    sincerity: HoneypotResult
    evidence: Mapping[str, JsonValue]
    """How the request reached us."""
    form_id: str | None = None
    """Keyed digest of the form id, if the form will ask for the code."""
    reads: tuple[str, ...] = ()
    """The requester's languages, best first: each newsletter was shown in the first that it supports.

    Empty if that is `language`.
    """
    is_unproven: bool = False
    """Its newsletter is under attack and no work was proved: the letter goes through a small throttle."""
    only_for: UUID | None = None
    """The subscriber who asks through their own link: if they are erased meanwhile, nothing happens."""
    order: StatedRequest | None = None
    """None if the person asks here."""


@dataclass(frozen=True, slots=True)
class LimitState:
    """A row of `RecipientLimit`, as read."""

    version: int
    confirmations: list[int]
    to_mailbox: list[int]
    told_at: datetime | None


UNUSED = LimitState(version=0, confirmations=[], to_mailbox=[], told_at=None)


@dataclass(frozen=True, slots=True)
class OwedLetter:
    """A confirmation letter that has not left yet."""

    id: UUID
    due_at: datetime
    form_id: str | None
    is_unproven: bool
    is_leased: bool
    """Whether a worker may be composing or sending it: nothing can be added to it any more."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What the database knows about an address, all of it at one instant."""

    budget: LimitState
    mailbox: LimitState
    """The same row as `budget` if the address is plain."""
    suppressed: bool
    subscriber_id: UUID | None
    commitment_key: str | None
    subscriptions: dict[str, AnyRow]
    """By newsletter, with the state of its newest confirmation letter."""
    left_on: Mapping[str, date] = field(default_factory=dict)
    """By newsletter, of who left and was erased. Read for an order only."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to write: the letter owed, and the newsletters it is about."""

    about: tuple[Newsletter, ...]
    letter: LetterKind
    due_at: datetime
    joined: OwedLetter | None = None
    """The letter, if it is owed already: it goes at its own time and asks for these as well."""

    @property
    def pending(self) -> tuple[Newsletter, ...]:
        """The newsletters that become or stay pending."""
        return self.about if self.letter is LetterKind.CONFIRMATION else ()


def decide(signup: Signup, facts: Facts, now: datetime) -> Plan | None:
    """None if nothing is to happen. The requester cannot tell."""
    statuses = {slug: found.status for slug, found in facts.subscriptions.items()}
    if signup.sincerity is HoneypotResult.TRAPPED or facts.suppressed or Status.COMPLAINED in statuses.values():
        return None
    if signup.only_for not in (None, facts.subscriber_id):
        return None
    heard = (each for each in signup.newsletters if not _has_left_since(signup.order, each.slug, facts))
    welcome = tuple(each for each in heard if is_welcome(signup.address, each))
    if not welcome:
        return None
    unconfirmed = tuple(each for each in welcome if statuses.get(each.slug) != Status.CONFIRMED)
    if not unconfirmed:
        may_tell = recipient_limit.may_tell(facts.budget.told_at, now)
        return Plan(welcome, LetterKind.ALREADY_CONFIRMED, now) if may_tell else None
    return _ask(signup, unconfirmed, facts, now)


def _has_left_since(order: StatedRequest | None, newsletter: str, facts: Facts) -> bool:
    """Whether the person left later than they asked, as far as known (GDPR Art. 21(3)). Of who asks here: no."""
    if order is None:
        return False
    found, left_on = facts.subscriptions.get(newsletter), facts.left_on.get(newsletter)
    if order.requested_at is None:
        return left_on is not None or (found is not None and leavings.has_left(found))
    if left_on is not None and order.requested_at.astimezone(UTC).date() <= left_on:
        return True
    return found is not None and leavings.has_left(found) and order.requested_at <= found.ended_at


def _ask(signup: Signup, unconfirmed: Sequence[Newsletter], facts: Facts, now: datetime) -> Plan | None:
    """Whatever a letter that has not left asks for already stays with that letter.

    So nobody else's request can hold it up, and none spends a second letter on it.
    """
    waiting = _waiting(signup, facts)
    missing = [each.slug for each in unconfirmed if each.slug not in waiting]
    if all(_was_just_asked(facts.subscriptions.get(slug), now) for slug in missing):
        return None
    joined = _joinable(signup, waiting.values())
    about = tuple(each for each in unconfirmed if waiting.get(each.slug) in (None, joined))
    if joined:
        return Plan(about, LetterKind.CONFIRMATION, joined.due_at, joined)
    due_at = recipient_limit.next_confirmation(facts.budget.confirmations, facts.mailbox.to_mailbox, now)
    return Plan(about, LetterKind.CONFIRMATION, due_at) if due_at else None


def _waiting(signup: Signup, facts: Facts) -> Mapping[str, OwedLetter]:
    """By newsletter, the letter that will ask for it: for who proved work, none in the throttle of an attack."""
    owed = {slug: letter for slug, found in facts.subscriptions.items() if (letter := _owed(found))}
    return {slug: each for slug, each in owed.items() if signup.is_unproven or not each.is_unproven}


def _joinable(signup: Signup, waiting: Iterable[OwedLetter]) -> OwedLetter | None:
    """The first letter that no worker has taken, and that passes the same throttles as the request.

    A proven letter must not wait in the throttle of an attack for what others ask; nor may a request that needs no
    proof, for a newsletter that is not attacked, take a letter out of it.
    """
    free = (each for each in waiting if not each.is_leased and each.is_unproven == signup.is_unproven)
    return min(free, key=lambda each: (each.due_at, each.id), default=None)


def _owed(subscription: AnyRow) -> OwedLetter | None:
    """None also for a letter that may have arrived: it is tried again an hour later at the earliest."""
    is_owed = subscription.letter_state in OWED and not subscription.letter_unanswered
    if subscription.status != Status.PENDING or not is_owed:
        return None
    return OwedLetter(
        id=subscription.letter_id,
        due_at=subscription.letter_due_at,
        form_id=subscription.letter_form_id,
        is_unproven=subscription.letter_is_unproven,
        is_leased=subscription.letter_lease is not None,
    )


def _was_just_asked(subscription: AnyRow | None, now: datetime) -> bool:
    return (
        subscription is not None
        and subscription.status == Status.PENDING
        and _owed(subscription) is None
        # Due at the end of a cool-down at the latest: a later value, from a clock that was ahead, does not count.
        and now - recipient_limit.COOL_DOWN < subscription.asked_at <= now + recipient_limit.COOL_DOWN + clock.AHEAD
    )
