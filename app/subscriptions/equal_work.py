"""Equalises the database work of requests: filler rows are written, and rolled back before the commit.

Fewer rows take less time, which shows under load. So every request writes as many rows of each table as a newcomer's
does: its own, and an invented row in place of each missing one. These go through the same statements, checks and
triggers, and are rolled back to a savepoint. Nobody can read them, so they are never mailed, confirmed, counted or
sealed. Their bytes stay on disk for a while, in rows that PostgreSQL has not vacuumed and in its log: so they contain
nothing about the person.
"""

import secrets
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection

from app.addresses import EmailAddress
from app.consent import ConsentEvent
from app.outbox import Letter, LetterKind
from app.subscriptions import recording, request_rows
from app.subscriptions.decision import UNUSED, Facts, Plan
from app.subscriptions.model import Subscriber, Subscription
from app.subscriptions.request_rows import Draft, Rows

NOTHING_KNOWN = Facts(
    budget=UNUSED,
    mailbox=UNUSED,
    suppressed=False,
    subscriber_id=None,
    commitment_key=None,
    subscriptions={},
)
SHORTEST = 16
"""Characters that make an invented address unlikely to exist."""


def undone_rows(connection: Connection, draft: Draft, kept: Rows) -> Rows:
    """The rows that `kept` lacks. They refer to its ids, so that a foreign key is checked for each row."""
    asked = {row["newsletter"] for row in kept[Subscription]}
    lacking = tuple(each for each in draft.signup.newsletters if each.slug not in asked)
    if kept[Subscriber] and not lacking:
        return recording.NO_ROWS
    somebody = _made_up(draft, kept)
    rows = request_rows.rows_of(connection, somebody, Plan(lacking, LetterKind.CONFIRMATION, draft.now))
    return {
        Subscriber: [] if kept[Subscriber] else [request_rows.subscriber(somebody)],
        Letter: [] if kept[Letter] else rows[Letter],
        Subscription: rows[Subscription],
        ConsentEvent: [_blank(each) for each in rows[ConsentEvent]],
    }


def _made_up(draft: Draft, kept: Rows) -> Draft:
    address = _as_long_as(draft.signup.address.typed)
    form_id = draft.signup.form_id and _as_long_as(draft.signup.form_id)
    return Draft(
        signup=replace(draft.signup, address=EmailAddress(address, address), form_id=form_id),
        digests=replace(
            draft.digests, address=_as_long_as(draft.digests.address), mailbox=_as_long_as(draft.digests.mailbox)
        ),
        facts=NOTHING_KNOWN,
        now=draft.now,
        subscriber_id=draft.subscriber_id if kept[Subscriber] else uuid4(),
        commitment_key=_as_long_as(draft.commitment_key),
        letter_id=draft.letter_id if kept[Letter] else uuid4(),
    )


def _as_long_as(text: str) -> str:
    length = max(SHORTEST, len(text))
    return secrets.token_hex(length)[:length]


def _blank(event: Mapping[str, Any]) -> dict[str, Any]:
    """Evidence holds how the request reached us; without the salt its hash reveals nothing."""
    return {**event, "evidence": "-" * len(event["evidence"]), "salt": "-" * len(event["salt"])}
