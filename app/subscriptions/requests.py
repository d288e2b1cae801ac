"""Requests: the first half of double opt-in.

One read brings all that the decision needs, a pure function decides, one write does all of it. Whatever the state of
the address, the same statements run: neither the answer nor the work tells a stranger whether it is known.

Nothing is locked while deciding. Every row that is written carries the version it was read at; where another request
came first the version no longer fits, the database refuses the whole write, and the request starts over.
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from functools import cache
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Connection, Executable, Row, Select, Text, bindparam, case, literal, select
from sqlalchemy.exc import IntegrityError

from app import budgets, clock, consent, rows, suppressions
from app.addresses import EmailAddress
from app.budgets import MailBudget
from app.consent import Act, Actor, ConsentEvent, EventType, JsonValue, Step
from app.database import Instant
from app.errors import JawelError
from app.newsletters.terms import Newsletter
from app.outbox import Kind, Letter, State
from app.subscriptions.model import Status, Subscriber, Subscription

ATTEMPTS = 32


class Overtaken(JawelError):
    """Others wrote to the same address each time this request tried. Worth another try in a second."""


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


@dataclass(frozen=True, slots=True)
class Facts:
    """What the database knows of an address, all of it as of one instant."""

    budget_version: int
    confirmations: list[int]
    told_at: datetime | None
    suppressed: bool
    subscriber_id: UUID | None
    commitment_key: str | None
    subscriptions: dict[str, Row[Any]]
    """By newsletter."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be written: the newsletters that become or stay pending, and the letter that is owed."""

    pending: tuple[Newsletter, ...]
    letter: Kind
    due_at: datetime


def request(connection: Connection, signup: Signup, digest: str) -> None:
    """Record the request and owe the letter. Raises Overtaken.

    `connection` comes from `Database.single_statement`; `digest` is the address's own.
    """
    for _ in range(ATTEMPTS):
        now = clock.now()
        facts = _read(connection, signup.address, digest, now)
        plan = decide(signup, facts, now)
        try:
            _write(connection, _Draft.of(signup, digest, facts, now), plan)
        except IntegrityError:
            continue
        return
    raise Overtaken("too many requests for one address at the same instant")


def decide(signup: Signup, facts: Facts, now: datetime) -> Plan | None:
    """None: nothing happens. The person who asked cannot tell."""
    statuses = {slug: found.status for slug, found in facts.subscriptions.items()}
    if signup.sincerity is Sincerity.TRAPPED or facts.suppressed or Status.COMPLAINED in statuses.values():
        return None
    unconfirmed = tuple(each for each in signup.newsletters if statuses.get(each.slug) != Status.CONFIRMED)
    if not unconfirmed:
        return Plan((), Kind.ALREADY_CONFIRMED, now) if budgets.may_tell(facts.told_at, now) else None
    if all(_was_just_asked(facts.subscriptions.get(each.slug), now) for each in unconfirmed):
        return None
    due_at = budgets.next_confirmation(facts.confirmations, now)
    return Plan(unconfirmed, Kind.CONFIRMATION, due_at) if due_at else None


def _was_just_asked(subscription: Row[Any] | None, now: datetime) -> bool:
    return (
        subscription is not None
        and subscription.status == Status.PENDING
        and subscription.asked_at > now - budgets.COOL_DOWN
    )


@cache
def _reading() -> Select[Any]:
    now = bindparam("now", type_=Instant)
    suppressed = suppressions.forbids_asking(bindparam("digest", type_=Text), now)
    return (
        select(
            MailBudget.version.label("budget_version"),
            MailBudget.confirmations,
            MailBudget.told_at,
            suppressed.label("suppressed"),
            Subscriber.id.label("known_subscriber_id"),
            Subscriber.commitment_key,
            *Subscription.__table__.columns,
        )
        .select_from(select(literal(1).label("one")).subquery("always"))
        .outerjoin(MailBudget, MailBudget.digest == bindparam("digest"))
        .outerjoin(Subscriber, Subscriber.canonical == bindparam("canonical"))
        .outerjoin(Subscription, Subscription.subscriber_id == Subscriber.id)
    )


def _read(connection: Connection, address: EmailAddress, digest: str, now: datetime) -> Facts:
    found = connection.execute(_reading(), {"now": now, "digest": digest, "canonical": address.canonical}).all()
    first = found[0]
    return Facts(
        budget_version=first.budget_version or 0,
        confirmations=first.confirmations or [],
        told_at=first.told_at,
        suppressed=first.suppressed,
        subscriber_id=first.known_subscriber_id,
        commitment_key=first.commitment_key,
        subscriptions={each.newsletter: each for each in found if each.newsletter},
    )


@cache
def _writing(dialect: str) -> Sequence[Executable]:
    budget = rows.insert(MailBudget, dialect)
    subscription = rows.insert(Subscription, dialect)
    return rows.together(
        (
            _replace_if_unchanged(budget, MailBudget, ("digest",)),
            rows.insert(Subscriber, dialect),
            rows.insert(Letter, dialect),
            _replace_if_unchanged(subscription, Subscription, ("subscriber_id", "newsletter")),
            rows.insert(ConsentEvent, dialect),
        )
    )


def _replace_if_unchanged(
    insert: rows.Insert, model: type[MailBudget | Subscription], key: tuple[str, ...]
) -> rows.Insert:
    """Where the stored version is not the one that was read, `version` becomes NULL, which the column refuses."""
    replacement = {
        each.name: insert.excluded[each.name] for each in model.__table__.columns if each.name not in ("id", *key)
    }
    follows = model.version + 1 == insert.excluded.version
    return insert.on_conflict_do_update(
        index_elements=key, set_={**replacement, "version": case((follows, insert.excluded.version))}
    )


@dataclass(frozen=True, slots=True)
class _Draft:
    """The signup, what is known of its address, and the identities that both the letter and the events will name."""

    signup: Signup
    digest: str
    facts: Facts
    now: datetime
    subscriber_id: UUID
    commitment_key: str
    letter_id: UUID

    @classmethod
    def of(cls, signup: Signup, digest: str, facts: Facts, now: datetime) -> "_Draft":
        key = facts.commitment_key or secrets.token_hex(32)
        return cls(signup, digest, facts, now, facts.subscriber_id or uuid4(), key, uuid4())


def _write(connection: Connection, draft: _Draft, plan: Plan | None) -> None:
    asked = plan.pending if plan else ()
    pending = [_subscription(draft, each, plan.due_at) for each in asked] if plan else []
    rows.write(
        connection,
        _writing(connection.dialect.name),
        {
            MailBudget: [_budget(draft, plan)],
            Subscriber: [_subscriber(draft)] if pending and draft.facts.subscriber_id is None else [],
            Letter: [_letter(draft, plan, pending)] if plan else [],
            Subscription: pending,
            ConsentEvent: [_event(draft, each, row["id"]) for each, row in zip(asked, pending, strict=True)],
        },
    )


def _budget(draft: _Draft, plan: Plan | None) -> dict[str, Any]:
    confirmations = budgets.recent(draft.facts.confirmations, draft.now)
    told_at = draft.facts.told_at
    if plan and plan.letter is Kind.CONFIRMATION:
        confirmations = [*confirmations, int(plan.due_at.timestamp())]
    elif plan:
        told_at = draft.now
    return {
        "digest": draft.digest,
        "version": draft.facts.budget_version + 1,
        "confirmations": confirmations,
        "told_at": told_at,
        "used_at": draft.now,
    }


def _subscriber(draft: _Draft) -> dict[str, Any]:
    return {
        "id": draft.subscriber_id,
        "address": draft.signup.address.typed,
        "canonical": draft.signup.address.canonical,
        "digest": draft.digest,
        "language": draft.signup.language,
        "commitment_key": draft.commitment_key,
        "created_at": draft.now,
    }


def _subscription(draft: _Draft, newsletter: Newsletter, due_at: datetime) -> dict[str, Any]:
    before = draft.facts.subscriptions.get(newsletter.slug)
    stays_pending = before is not None and before.status == Status.PENDING
    return {
        "id": before.id if before else uuid4(),
        "subscriber_id": draft.subscriber_id,
        "newsletter": newsletter.slug,
        "status": Status.PENDING,
        "since": before.since if before and stays_pending else draft.now,
        "version": before.version + 1 if before else 1,
        "nonce": before.nonce if before and stays_pending else secrets.token_hex(8),
        "letter_id": draft.letter_id,
        "asked_at": due_at,
        "expires_at": due_at + newsletter.confirm_within,
        "ended_as": before.ended_as if before else None,
        "ended_at": before.ended_at if before else None,
        "reason": before.reason if before else None,
    }


def _letter(draft: _Draft, plan: Plan, pending: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    if plan.letter is Kind.CONFIRMATION:
        about = {str(each["id"]): each["nonce"] for each in pending}
    else:
        asked = (draft.facts.subscriptions[each.slug] for each in draft.signup.newsletters)
        about = {str(each.id): each.nonce for each in asked}
    return {
        "id": draft.letter_id,
        "kind": plan.letter,
        "subscriber_id": draft.subscriber_id,
        "language": draft.signup.language,
        "about": about,
        "asked_from": draft.signup.asked_from,
        "state": State.QUEUED,
        "state_at": draft.now,
        "created_at": draft.now,
        "due_at": plan.due_at,
        "attempts": 0,
    }


def _event(draft: _Draft, newsletter: Newsletter, subscription_id: UUID) -> dict[str, Any]:
    step = Step(
        type=EventType.REQUESTED,
        subscriber_id=draft.subscriber_id,
        subscription_id=subscription_id,
        newsletter=newsletter.slug,
        occurred_at=draft.now,
    )
    details = {
        **draft.signup.evidence,
        "address_commitment": consent.commitment(draft.commitment_key, draft.signup.address),
        "language": draft.signup.language,
        "wordings": newsletter.wording_digests(newsletter.language_for([draft.signup.language])),
    }
    return consent.row(step, Act(Actor.UNVERIFIED, details))
