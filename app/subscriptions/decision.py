"""Decides what a request leads to: a pure function of facts, which a table of examples can check."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from uuid import UUID

from app import clock
from app.abuse import recipient_limit
from app.addresses import EmailAddress
from app.consent import JsonValue
from app.database import AnyRow
from app.newsletters.definitions import Newsletter
from app.outbox import LetterKind
from app.subscriptions.address_policy import is_welcome
from app.subscriptions.model import Status


class HoneypotResult(Enum):
    HUMAN = auto()
    TRAPPED = auto()
    """The honeypot field, which people do not see, was filled in."""


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


@dataclass(frozen=True, slots=True)
class LimitState:
    """A row of `RecipientLimit`, as read."""

    version: int
    confirmations: list[int]
    to_mailbox: list[int]
    told_at: datetime | None


UNUSED = LimitState(version=0, confirmations=[], to_mailbox=[], told_at=None)


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
    """By newsletter."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to write: the letter owed, and the newsletters it is about."""

    about: tuple[Newsletter, ...]
    letter: LetterKind
    due_at: datetime

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
    welcome = tuple(each for each in signup.newsletters if is_welcome(signup.address, each))
    if not welcome:
        return None
    unconfirmed = tuple(each for each in welcome if statuses.get(each.slug) != Status.CONFIRMED)
    if not unconfirmed:
        may_tell = recipient_limit.may_tell(facts.budget.told_at, now)
        return Plan(welcome, LetterKind.ALREADY_CONFIRMED, now) if may_tell else None
    if all(_was_just_asked(facts.subscriptions.get(each.slug), now) for each in unconfirmed):
        return None
    due_at = recipient_limit.next_confirmation(facts.budget.confirmations, facts.mailbox.to_mailbox, now)
    return Plan(unconfirmed, LetterKind.CONFIRMATION, due_at) if due_at else None


def _was_just_asked(subscription: AnyRow | None, now: datetime) -> bool:
    return (
        subscription is not None
        and subscription.status == Status.PENDING
        # Due at the end of a cool-down at the latest: a later value, from a clock that was ahead, does not count.
        and now - recipient_limit.COOL_DOWN < subscription.asked_at <= now + recipient_limit.COOL_DOWN + clock.AHEAD
    )
