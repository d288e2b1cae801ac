"""One write for all of a request: budgets, subscriber, letter, subscriptions and consent events; and what is undone.

On PostgreSQL it is a function of the database (`migrations/signup_functions.py`), on SQLite one statement a table.

Every row that may exist already carries the version it was read at. Where another request came first the version no
longer fits, and the database refuses the whole write.
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from operator import itemgetter
from typing import Any
from uuid import UUID, uuid4

import psycopg
from sqlalchemy import Connection, Text, bindparam, case, func, select
from sqlalchemy.exc import IntegrityError

from app import consent
from app.abuse import recipient_limit
from app.abuse.recipient_limit import RecipientLimit
from app.addresses import Digests
from app.consent import Act, Actor, ConsentEvent, EventType, Step
from app.database import Base, json_insert, sqlite
from app.database.prepared import PreparedStatement
from app.newsletters.definitions import Newsletter
from app.outbox import Kind, Letter, State
from app.subscriptions.decision import Budget, Facts, Plan, Signup
from app.subscriptions.model import Status, Subscriber, Subscription

NOT_NULL_VIOLATION = "23502"
FOREIGN_KEY_VIOLATION = "23503"
UNIQUE_VIOLATION = "23505"
_HOLD_THE_PERSON = ("fk_subscriptions_subscriber_id", "fk_letters_subscriber_id")

Rows = Mapping[type[Base], Sequence[dict[str, Any]]]
"""By table."""
BESIDE_THE_BUDGET: tuple[type[Base], ...] = (Subscriber, Letter, Subscription, ConsentEvent)
NO_ROWS: Rows = {table: [] for table in BESIDE_THE_BUDGET}


@cache
def _function() -> PreparedStatement:
    names = [RecipientLimit.__tablename__, *(table.__tablename__ for table in BESIDE_THE_BUDGET)]
    names += [f"undone_{table.__tablename__}" for table in BESIDE_THE_BUDGET]
    return PreparedStatement(select(func.record_signup(*[bindparam(name, type_=Text) for name in names])))


@cache
def _inserts() -> Mapping[type[Base], PreparedStatement]:
    inserts = {
        RecipientLimit: _replace_if_unchanged(
            json_insert.insert(RecipientLimit, "sqlite"), RecipientLimit, ("digest",)
        ),
        Subscriber: json_insert.insert(Subscriber, "sqlite"),
        Letter: json_insert.insert(Letter, "sqlite"),
        Subscription: _replace_if_unchanged(
            json_insert.insert(Subscription, "sqlite"), Subscription, ("subscriber_id", "newsletter")
        ),
        ConsentEvent: json_insert.insert(ConsentEvent, "sqlite"),
    }
    return {table: PreparedStatement(insert) for table, insert in inserts.items()}


def _replace_if_unchanged(
    insert: json_insert.Insert, model: type[RecipientLimit | Subscription], key: tuple[str, ...]
) -> json_insert.Insert:
    """Where the stored version is not the one that was read, `version` becomes NULL, which the column refuses."""
    kept = ("id", RecipientLimit.linked_at.key, *key)
    replacement = {each.name: insert.excluded[each.name] for each in model.__table__.columns if each.name not in kept}
    follows = model.version + 1 == insert.excluded.version
    return insert.on_conflict_do_update(
        index_elements=key, set_={**replacement, "version": case((follows, insert.excluded.version))}
    )


@dataclass(frozen=True, slots=True)
class Draft:
    """The signup, what is known of its address, and the identities that both the letter and the events will name."""

    signup: Signup
    digests: Digests
    facts: Facts
    now: datetime
    subscriber_id: UUID
    commitment_key: str
    letter_id: UUID

    @classmethod
    def of(cls, signup: Signup, digests: Digests, facts: Facts, now: datetime) -> "Draft":
        key = facts.commitment_key or secrets.token_hex(32)
        return cls(signup, digests, facts, now, facts.subscriber_id or uuid4(), key, uuid4())


def rows_of(connection: Connection, draft: Draft, plan: Plan | None) -> Rows:
    """What the plan calls for, by table. Nothing is written yet."""
    # All who write several subscriptions of one person take them in this order, and so never wait for each other.
    asked = sorted(plan.pending, key=lambda each: each.slug) if plan else []
    pending = [_subscription(draft, each, plan.due_at) for each in asked] if plan else []
    return {
        RecipientLimit: _budgets(draft, plan),
        Subscriber: [subscriber(draft)] if pending and draft.facts.subscriber_id is None else [],
        Letter: [_letter(draft, plan, pending)] if plan else [],
        Subscription: pending,
        ConsentEvent: [_event(connection, draft, each, row["id"]) for each, row in zip(asked, pending, strict=True)],
    }


def write(connection: Connection, kept: Rows, undone: Rows) -> None:
    """Write both, and undo the second.

    Raises IntegrityError; where `was_overtaken` says so, a row was not as it was read. Nothing is kept then.
    """
    if connection.dialect.name == "sqlite":
        _insert(connection, kept)
        with sqlite.undone(connection):
            _insert(connection, undone)
        return
    _function().run(connection, {**json_insert.parameters(kept), **_undone_parameters(undone)})


def _undone_parameters(undone: Rows) -> Mapping[str, str]:
    return _NOTHING if undone is NO_ROWS else _encoded(undone)


def _encoded(undone: Rows) -> Mapping[str, str]:
    return {f"undone_{name}": each for name, each in json_insert.parameters(undone).items()}


_NOTHING = _encoded(NO_ROWS)


def _insert(connection: Connection, written: Rows) -> None:
    """Each table in its turn; a statement takes longer to be run here than what it does, so none is run for nothing."""
    for table, each in written.items():
        if each:
            _inserts()[table].run(connection, json_insert.parameters({table: each}))


def was_overtaken(error: IntegrityError) -> bool:
    """Whether others came first, on PostgreSQL: a row is there by now, has another version, or its person is gone.

    Any other constraint that is violated would be violated again.
    """
    cause = error.orig
    if not isinstance(cause, psycopg.Error):
        return False
    if cause.sqlstate == NOT_NULL_VIOLATION:
        return cause.diag.column_name == RecipientLimit.version.key
    if cause.sqlstate == FOREIGN_KEY_VIOLATION:
        return cause.diag.constraint_name in _HOLD_THE_PERSON
    return cause.sqlstate == UNIQUE_VIOLATION


def _budgets(draft: Draft, plan: Plan | None) -> list[dict[str, Any]]:
    """Those of the address and of its mailbox, in the order in which all take them who take both."""
    alone = _budget(draft.digests.budget, draft.facts.budget, draft.now)
    is_plain = draft.digests.budget == draft.digests.mailbox
    together = alone if is_plain else _budget(draft.digests.mailbox, draft.facts.mailbox, draft.now)
    if plan and plan.letter is Kind.CONFIRMATION:
        due_at = int(plan.due_at.timestamp())
        alone["confirmations"].append(due_at)
        together["to_mailbox"].append(due_at)
    elif plan:
        alone["told_at"] = draft.now
    return [alone] if is_plain else sorted((alone, together), key=itemgetter("digest"))


def _budget(digest: str, before: Budget, now: datetime) -> dict[str, Any]:
    return {
        "digest": digest,
        "version": before.version + 1,
        "confirmations": recipient_limit.recent(before.confirmations, now),
        "to_mailbox": recipient_limit.recent(before.to_mailbox, now),
        "told_at": before.told_at,
        "used_at": now,
    }


def subscriber(draft: Draft) -> dict[str, Any]:
    return {
        "id": draft.subscriber_id,
        "address": draft.signup.address.typed,
        "canonical": draft.signup.address.canonical,
        "digest": draft.digests.address,
        "mailbox_digest": draft.digests.mailbox,
        "language": draft.signup.language,
        "commitment_key": draft.commitment_key,
        "created_at": draft.now,
    }


def _subscription(draft: Draft, newsletter: Newsletter, due_at: datetime) -> dict[str, Any]:
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
        "lapses_at": before.lapses_at if before else None,
        "undo_id": None,
        "former_commitment": None,
    }


def _letter(draft: Draft, plan: Plan, pending: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    if plan.letter is Kind.CONFIRMATION:
        about = {str(each["id"]): each["nonce"] for each in pending}
    else:
        asked = (draft.facts.subscriptions[each.slug] for each in plan.about)
        about = {str(each.id): each.nonce for each in asked}
    return {
        "id": draft.letter_id,
        "kind": plan.letter,
        "subscriber_id": draft.subscriber_id,
        "language": draft.signup.language,
        "about": about,
        "asked_from": draft.signup.asked_from,
        # Only a confirmation has a code.
        "attempt": draft.signup.attempt if plan.letter is Kind.CONFIRMATION else None,
        "tries": 0,
        "is_unproven": draft.signup.is_unproven,
        "state": State.QUEUED,
        "state_at": draft.now,
        "created_at": draft.now,
        "due_at": plan.due_at,
        "attempts": 0,
    }


def _event(connection: Connection, draft: Draft, newsletter: Newsletter, subscription_id: UUID) -> dict[str, Any]:
    step = Step(
        type=EventType.REQUESTED,
        subscriber_id=draft.subscriber_id,
        subscription_id=subscription_id,
        newsletter=newsletter.slug,
        occurred_at=draft.now,
    )
    shown_in = newsletter.language_for(draft.signup.reads or [draft.signup.language])
    details = {
        **draft.signup.evidence,
        "address_commitment": consent.commitment(draft.commitment_key, draft.signup.address),
        "language": shown_in,
        "letter_owed": str(draft.letter_id),
        "wordings": newsletter.wording_digests(shown_in),
    }
    before = draft.facts.subscriptions.get(newsletter.slug)
    if before is not None and before.former_commitment:
        details["previous_address_commitment"] = before.former_commitment
    return consent.row(connection, step, Act(Actor.UNVERIFIED, details))
