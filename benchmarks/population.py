"""Subscribers to ask about, the same in both databases."""

import secrets
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy import insert, select

from app.database import Database
from app.outbox import Letter, LetterKind, State
from app.subscriptions.model import Status, Subscriber, Subscription

BATCH = 1000


def address(number: int) -> str:
    return f"person{number}@example.org"


def settle(database: Database, size: int) -> None:
    """`size` people who have confirmed the newsletter `weekly`, each by a letter of their own."""
    for first in range(0, size, BATCH):
        people = [_person(number) for number in range(first, min(first + BATCH, size))]
        with database.transaction() as session:
            session.execute(insert(Subscriber), [each[0] for each in people])
            session.execute(insert(Letter), [each[1] for each in people])
            session.execute(insert(Subscription), [each[2] for each in people])


def pending(database: Database, at_most: int) -> list[tuple[Any, Any]]:
    """Ids of letter and subscription of people who have signed up and not confirmed."""
    with database.read_only() as connection:
        waiting = select(Subscription.letter_id, Subscription.id).where(Subscription.status == Status.PENDING)
        return [(row.letter_id, row.id) for row in connection.execute(waiting.limit(at_most))]


def _person(number: int) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    now = datetime.now(UTC) - timedelta(days=1)
    subscriber, letter, subscription = uuid4(), uuid4(), uuid4()
    key = secrets.token_hex(32)
    who = {"id": subscriber, "address": address(number), "canonical": address(number), "digest": key}
    who["mailbox_digest"] = key
    asked = {
        "id": letter,
        "subscriber_id": subscriber,
        "language": "en",
        "kind": LetterKind.CONFIRMATION,
    }
    joined = {"id": subscription, "subscriber_id": subscriber, "newsletter": "weekly", "status": Status.CONFIRMED}
    return (
        who | {"language": "en", "commitment_key": key, "created_at": now},
        asked
        | {"about": {str(subscription): "nonce"}, "state": State.SENT, "deliveries": 1}
        | {"created_at": now, "due_at": now, "state_at": now},
        joined | {"since": now, "version": 2, "nonce": "nonce", "letter_id": letter, "asked_at": now},
    )
