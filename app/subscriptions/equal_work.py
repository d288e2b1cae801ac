"""What a request that comes to nothing writes all the same, for the database to undo before it commits.

To write less is quicker, and under load that shows. So every request hands over as many rows of each table as a
newcomer's does: those that stay, and in place of each that it lacks one of somebody made up. These go where the others
go, by the same statements, past the same checks and triggers, and are rolled back to a savepoint. Nobody can read them,
so nothing of them is mailed, confirmed, counted or sealed. Their bytes stay on the disk for a while, in what PostgreSQL
has not vacuumed and in its log: so nothing in them is of the person.
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
"""Characters of an address that no other is likely to have."""


def undone_rows(connection: Connection, draft: Draft, kept: Rows) -> Rows:
    """What `kept` lacks. The ids of what it has are referred to, so that a foreign key is checked for each row."""
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
    """Evidence holds how the request reached us; without the salt its hash says nothing."""
    return {**event, "evidence": "-" * len(event["evidence"]), "salt": "-" * len(event["salt"])}
