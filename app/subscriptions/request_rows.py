"""The rows that a request writes: recipient limits, subscriber, letter, subscriptions and consent events.

Nothing is written here; `recording` writes them all at once.
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import itemgetter
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Connection

from app import consent
from app.abuse import recipient_limit
from app.abuse.recipient_limit import RecipientLimit
from app.addresses import Digests
from app.consent import Act, Actor, ConsentEvent, EventType, Step
from app.database import Base
from app.newsletters.definitions import Newsletter
from app.outbox import Letter, LetterKind, State
from app.subscriptions.decision import Facts, LimitState, Plan, Signup
from app.subscriptions.model import Status, Subscriber, Subscription

Rows = Mapping[type[Base], Sequence[dict[str, Any]]]
"""By table."""


@dataclass(frozen=True, slots=True)
class Draft:
    """The signup, the facts about its address, and the ids that both the letter and the events will name."""

    signup: Signup
    digests: Digests
    facts: Facts
    now: datetime
    subscriber_id: UUID
    commitment_key: str
    letter_id: UUID

    @classmethod
    def of(cls, signup: Signup, digests: Digests, facts: Facts, now: datetime, plan: Plan | None) -> "Draft":
        key = facts.commitment_key or secrets.token_hex(32)
        letter_id = plan.joined.id if plan and plan.joined else uuid4()
        return cls(signup, digests, facts, now, facts.subscriber_id or uuid4(), key, letter_id)


def rows_of(connection: Connection, draft: Draft, plan: Plan | None) -> Rows:
    """The rows that the plan requires, by table. Nothing is written yet."""
    # By slug, as in every write of several subscriptions of one person: this avoids deadlocks.
    asked = sorted(plan.pending, key=lambda each: each.slug) if plan else []
    pending = [_subscription(draft, each, plan) for each in asked] if plan else []
    return {
        RecipientLimit: _limit_rows(draft, plan),
        Subscriber: [subscriber(draft)] if pending and draft.facts.subscriber_id is None else [],
        Letter: [_letter(draft, plan, pending)] if plan else [],
        Subscription: pending,
        ConsentEvent: [_event(connection, draft, each, row["id"]) for each, row in zip(asked, pending, strict=True)],
    }


def _limit_rows(draft: Draft, plan: Plan | None) -> list[dict[str, Any]]:
    """Recipient limits of the address and of its mailbox, in lock order (by digest)."""
    alone = _limit_row(draft.digests.budget, draft.facts.budget, draft.now)
    is_plain = draft.digests.budget == draft.digests.mailbox
    together = alone if is_plain else _limit_row(draft.digests.mailbox, draft.facts.mailbox, draft.now)
    if plan and plan.letter is LetterKind.ALREADY_CONFIRMED:
        alone["told_at"] = draft.now
    elif plan and plan.joined is None:
        due_at = int(plan.due_at.timestamp())
        alone["confirmations"].append(due_at)
        together["to_mailbox"].append(due_at)
    return [alone] if is_plain else sorted((alone, together), key=itemgetter("digest"))


def _limit_row(digest: str, before: LimitState, now: datetime) -> dict[str, Any]:
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


def _subscription(draft: Draft, newsletter: Newsletter, plan: Plan) -> dict[str, Any]:
    before = draft.facts.subscriptions.get(newsletter.slug)
    stays_pending = before is not None and before.status == Status.PENDING
    asked_at = max(plan.due_at, draft.now)
    has_other_form = plan.joined is not None and plan.joined.form_id not in (None, draft.signup.form_id)
    return {
        "id": before.id if before else uuid4(),
        "subscriber_id": draft.subscriber_id,
        "newsletter": newsletter.slug,
        "status": Status.PENDING,
        "since": before.since if before and stays_pending else draft.now,
        "version": before.version + 1 if before else 1,
        "nonce": before.nonce if before and stays_pending else secrets.token_hex(8),
        "letter_id": draft.letter_id,
        "attempt": draft.signup.form_id if has_other_form else None,
        "asked_at": asked_at,
        "expires_at": asked_at + newsletter.confirm_within,
        "ended_as": before.ended_as if before else None,
        "ended_at": before.ended_at if before else None,
        "reason": before.reason if before else None,
        "lapses_at": before.lapses_at if before else None,
        "undo_id": None,
        "undo_expires_at": None,
        "former_commitment": None,
    }


def _letter(draft: Draft, plan: Plan, pending: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    if plan.letter is LetterKind.CONFIRMATION:
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
        "attempt": draft.signup.form_id if plan.letter is LetterKind.CONFIRMATION else None,
        "tries": 0,
        "is_unproven": draft.signup.is_unproven,
        "state": State.QUEUED,
        "state_at": draft.now,
        "created_at": draft.now,
        "due_at": plan.due_at,
        "attempts": 0,
        # A new letter has no lease: this marks one that exists and is joined (`recording`).
        "lease": plan.joined and plan.joined.id,
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
