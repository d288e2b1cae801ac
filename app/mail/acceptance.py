"""Records the evidence of letters that the mail server accepted, in the transaction that marks them as sent.

Lock order: `database.locks`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from uuid import UUID

from sqlalchemy import Connection, bindparam, select, update
from sqlalchemy.orm import Session

from app import clock, consent, outbox
from app.consent import Act, Actor, EventType, JsonValue, Step
from app.database import Instant, json_insert
from app.database.prepared import PreparedStatement
from app.mail.compose import Composition
from app.mail.owed import Owed
from app.outbox import Letter, LetterKind, State
from app.subscriptions.model import Status, Subscription


@dataclass(frozen=True, slots=True)
class AcceptedLetter:
    owed: Owed
    composition: Composition
    reply: str


def record(session: Session, letters: Sequence[AcceptedLetter]) -> None:
    """Idempotent; nothing is recorded about a letter that another worker has claimed since."""
    standing = _lock(session.connection(), letters)
    marked = _mark(session.connection(), letters)
    ours = [each for each in letters if each.owed.letter.id in marked]
    now = clock.now()
    consent.record_all(session, [step for each in ours for step in _steps(each, standing, now)])
    confirmations = [each for each in ours if each.owed.letter.kind == LetterKind.CONFIRMATION]
    if confirmations:
        _extend(session.connection(), confirmations)


def _lock(connection: Connection, letters: Sequence[AcceptedLetter]) -> frozenset[UUID]:
    """The subscriptions that still exist: no new evidence may be written about those erased in the meantime."""
    about = sorted({str(subscription_id) for each in letters for subscription_id in each.owed.newsletters})
    found = _locking(connection.dialect.name).run(connection, {"about": json_insert.texts(about)})
    return frozenset(row.id for row in found)


@cache
def _locking(dialect: str) -> PreparedStatement:
    about = Subscription.id.in_(json_insert.select_ids("about", dialect))
    ordered = select(Subscription.id).where(about).order_by(Subscription.subscriber_id, Subscription.newsletter)
    return PreparedStatement(ordered.with_for_update())


def _mark(connection: Connection, letters: Sequence[AcceptedLetter]) -> frozenset[UUID]:
    """As sent. Returns the ids of those that no other worker has claimed since."""
    rows = [{"id": each.owed.letter.id, "lease": each.owed.letter.lease, "reply": each.reply} for each in letters]
    parameters = {"accepted": json_insert.encode(rows), "now": clock.now()}
    return frozenset(row.id for row in _marking(connection.dialect.name).run(connection, parameters))


@cache
def _marking(dialect: str) -> PreparedStatement:
    accepted = json_insert.records("accepted", dialect, [Letter.id, Letter.lease, Letter.reply])
    still_ours = (Letter.id == accepted.c.id) & (Letter.lease == accepted.c.lease)
    locked = select(Letter.id, accepted.c.reply).join(accepted, still_ours).order_by(Letter.id)
    ours = locked.with_for_update(of=Letter).cte("ours")
    now = bindparam("now", type_=Instant)
    return PreparedStatement(
        update(Letter)
        .where(Letter.id == ours.c.id)
        .values(**outbox.FREE, state=State.SENT, state_at=now, reply=ours.c.reply)
        .returning(Letter.id)
    )


def _steps(accepted: AcceptedLetter, standing: frozenset[UUID], now: datetime) -> list[tuple[Step, Act]]:
    """Preferences letters are not part of the evidence: a request for one adds nothing to the log."""
    owed = accepted.owed
    if owed.letter.kind == LetterKind.PREFERENCES:
        return []
    act = Act(Actor.SERVICE, _evidence(accepted))
    return [
        (
            Step(
                type=EventType.LETTER_ACCEPTED,
                subscriber_id=owed.letter.subscriber_id,
                subscription_id=subscription_id,
                newsletter=newsletter.slug,
                occurred_at=now,
            ),
            act,
        )
        for subscription_id, newsletter in owed.newsletters.items()
        if subscription_id in standing
    ]


def _evidence(accepted: AcceptedLetter) -> Mapping[str, JsonValue]:
    owed, composition = accepted.owed, accepted.composition
    return {
        "address_commitment": owed.commitment,
        "kind": owed.letter.kind,
        "language": owed.letter.language,
        "letter": str(owed.letter.id),
        "message_id": composition.letter.message_id,
        "relay_reply": accepted.reply,
        "rendered_sha256": composition.rendered_sha256,
        "template_sha256": composition.template_sha256,
        **({"change": str(owed.move.change_id)} if owed.move else {}),
    }


def _extend(connection: Connection, letters: Sequence[AcceptedLetter]) -> None:
    """The validity of a confirmation link starts when its letter reached the relay."""
    rows = [{"letter_id": each.owed.letter.id, "expires_at": each.composition.expires_at} for each in letters]
    _extending(connection.dialect.name).run(connection, {"sent": json_insert.encode(rows)})


@cache
def _extending(dialect: str) -> PreparedStatement:
    sent = json_insert.records("sent", dialect, [Subscription.letter_id, Subscription.expires_at])
    return PreparedStatement(
        update(Subscription)
        .where(Subscription.letter_id == sent.c.letter_id, Subscription.status == Status.PENDING)
        .values(expires_at=sent.c.expires_at, version=Subscription.version + 1)
        .returning(Subscription.id)
    )
