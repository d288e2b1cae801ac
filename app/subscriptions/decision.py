"""What becomes of a request: decided from facts alone, by a pure function that a table of examples can check."""

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


class Sincerity(Enum):
    HUMAN = auto()
    TRAPPED = auto()
    """It filled the field that people do not see."""


@dataclass(frozen=True, slots=True)
class Signup:
    """A request to subscribe, complete and valid: a value of this type can be acted upon."""

    address: EmailAddress
    newsletters: tuple[Newsletter, ...]
    language: str
    asked_from: str | None
    """The site of the form, where it is one of ours or the newsletter's: this is shown in the letter."""
    sincerity: Sincerity
    evidence: Mapping[str, JsonValue]
    """How the request reached us."""
    form_id: str | None = None
    """Keyed digest of the id that the form chose, where it means to ask for the code."""
    reads: tuple[str, ...] = ()
    """The languages of whoever filled in the form, best first: each newsletter was shown in the first that it speaks.

    Empty where that is `language`.
    """
    is_unproven: bool = False
    """Its newsletter is attacked, and no work was proved: the letter goes by a small allowance."""
    only_for: UUID | None = None
    """The subscriber who asks through a link to them: should they be erased meanwhile, nothing happens."""


@dataclass(frozen=True, slots=True)
class Budget:
    """A row of `RecipientLimit`, as it was read."""

    version: int
    confirmations: list[int]
    to_mailbox: list[int]
    told_at: datetime | None


UNUSED = Budget(version=0, confirmations=[], to_mailbox=[], told_at=None)


@dataclass(frozen=True, slots=True)
class Facts:
    """What the database knows of an address, all of it as of one instant."""

    budget: Budget
    mailbox: Budget
    """The same row, where the address is plain."""
    suppressed: bool
    subscriber_id: UUID | None
    commitment_key: str | None
    subscriptions: dict[str, AnyRow]
    """By newsletter."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be written: the letter that is owed, and the newsletters that it is about."""

    about: tuple[Newsletter, ...]
    letter: LetterKind
    due_at: datetime

    @property
    def pending(self) -> tuple[Newsletter, ...]:
        """Those that become or stay so."""
        return self.about if self.letter is LetterKind.CONFIRMATION else ()


def decide(signup: Signup, facts: Facts, now: datetime) -> Plan | None:
    """None: nothing happens. The person who asked cannot tell."""
    statuses = {slug: found.status for slug, found in facts.subscriptions.items()}
    if signup.sincerity is Sincerity.TRAPPED or facts.suppressed or Status.COMPLAINED in statuses.values():
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
        # It may be due at the end of a cool-down, and no later: a clock that was ahead asked for nothing.
        and now - recipient_limit.COOL_DOWN < subscription.asked_at <= now + recipient_limit.COOL_DOWN + clock.AHEAD
    )
