"""Requests: the first half of double opt-in.

One read fetches all that the decision needs, a pure function decides, one write does all of it. Whatever the state of
the address, the same statements run over as many rows (`equal_work`): neither the answer nor the work tells a stranger
whether it is known.

Nothing is locked while deciding. If another request for the address came first, the write is rejected and the request
starts over.
"""

import random
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from datetime import datetime
from functools import cache

from sqlalchemy import Connection, Text, bindparam, literal, select
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.orm import aliased

from app import clock, suppressions
from app.abuse import recipient_limit
from app.abuse.recipient_limit import RecipientLimit
from app.addresses import Digests, EmailAddress
from app.database import Instant, was_undone
from app.database.prepared import PreparedStatement
from app.errors import JawelError
from app.outbox import Letter
from app.subscriptions import equal_work, leavings, recording, request_rows
from app.subscriptions.decision import UNUSED, Facts, LimitState, Signup, decide
from app.subscriptions.model import Subscriber, Subscription

ATTEMPTS = 32
LONGEST_PAUSE_SECONDS = 0.02
OF_LETTER = ("state", "due_at", "form_id", "is_unproven", "lease", "unanswered")


class Overtaken(JawelError):
    """Other requests wrote to the same address at every attempt. A retry in a second may succeed."""


def request(
    connection: Connection,
    signup: Signup,
    digests: Digests,
    *,
    attempt_in: Callable[[], AbstractContextManager[object]] = nullcontext,
) -> None:
    """Record the request and owe the letter. `digests` are those of the address. Raises Overtaken.

    `connection` comes from `Database.single_statement`, or from a transaction with other work in it: then `attempt_in`
    is its `begin_nested`, because on PostgreSQL a write that is rejected would end the whole transaction.
    """
    for tried in range(ATTEMPTS):
        try:
            with attempt_in():
                _attempt(connection, signup, digests)
        except (IntegrityError, OperationalError) as error:
            if not _may_go_again(connection, error):
                raise
            # Under contention for one address, immediate retries only delay each other.
            time.sleep(random.uniform(0, LONGEST_PAUSE_SECONDS) if tried else 0)  # noqa: S311 - chance, no secret
            continue
        return
    raise Overtaken("too many requests for one address at the same instant")


def _attempt(connection: Connection, signup: Signup, digests: Digests) -> None:
    now = clock.now()
    facts = _read(connection, signup.address, digests, now)
    if signup.order:
        # After the rows: who is erased in between is seen in one of the two.
        facts = replace(facts, left_on=leavings.of(connection, digests.address))
    plan = decide(signup, facts, now)
    draft = request_rows.Draft.of(signup, digests, facts, now, plan)
    kept = request_rows.rows_of(connection, draft, plan)
    recording.write(connection, kept, equal_work.undone_rows(connection, draft, kept))


def _may_go_again(connection: Connection, error: IntegrityError | OperationalError) -> bool:
    # On SQLite no other writer can have come first, and the tables written so far would be kept.
    if connection.dialect.name == "sqlite":
        return False
    return recording.was_overtaken(error) if isinstance(error, IntegrityError) else was_undone(error)


@cache
def _reading() -> PreparedStatement:
    now = bindparam("now", type_=Instant)
    digest, mailbox, budget = (bindparam(name, type_=Text) for name in ("digest", "mailbox", "budget"))
    together = aliased(RecipientLimit, name="together")
    return PreparedStatement(
        select(
            RecipientLimit.version.label("budget_version"),
            RecipientLimit.confirmations,
            RecipientLimit.told_at,
            RecipientLimit.to_mailbox,
            together.version.label("mailbox_version"),
            together.confirmations.label("mailbox_confirmations"),
            together.to_mailbox.label("mailbox_to_mailbox"),
            together.told_at.label("mailbox_told_at"),
            suppressions.forbids_asking([digest, mailbox], now).label("suppressed"),
            Subscriber.id.label("known_subscriber_id"),
            Subscriber.commitment_key,
            *Subscription.__table__.columns,
            *(getattr(Letter, name).label(f"letter_{name}") for name in OF_LETTER),
        )
        .select_from(select(literal(1).label("one")).subquery("always"))
        .outerjoin(RecipientLimit, RecipientLimit.digest == budget)
        .outerjoin(together, together.digest == mailbox)
        .outerjoin(Subscriber, Subscriber.canonical == bindparam("canonical"))
        .outerjoin(Subscription, Subscription.subscriber_id == Subscriber.id)
        .outerjoin(Letter, Letter.id == Subscription.letter_id)
    )


def _read(connection: Connection, address: EmailAddress, digests: Digests, now: datetime) -> Facts:
    known_by = {"digest": digests.address, "mailbox": digests.mailbox, "budget": digests.budget}
    found = _reading().run(connection, {"now": now, "canonical": address.canonical, **known_by})
    first = found[0]
    return Facts(
        budget=_budget(first.budget_version, first.confirmations, first.to_mailbox, first.told_at),
        mailbox=_budget(
            first.mailbox_version, first.mailbox_confirmations, first.mailbox_to_mailbox, first.mailbox_told_at
        ),
        suppressed=first.suppressed,
        subscriber_id=first.known_subscriber_id,
        commitment_key=first.commitment_key,
        subscriptions={each.newsletter: each for each in found if each.newsletter},
    )


def _budget(
    version: int | None, confirmations: list[int], to_mailbox: list[int] | None, told_at: datetime | None
) -> LimitState:
    if version is None:
        return UNUSED
    return LimitState(version, confirmations, recipient_limit.counted_together(confirmations, to_mailbox), told_at)
