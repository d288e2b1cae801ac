"""Records the evidence of a letter that the mail server accepted, in the transaction that marks it as sent.

Lock order: `database.locks`.
"""

from dataclasses import replace
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app import clock, consent, outbox
from app.consent import Act, Actor, EventType, Step
from app.database import Database
from app.mail.compose import Composition, Owed
from app.outbox import Letter, LetterKind, State
from app.subscriptions.model import Status, Subscription


def record(database: Database, owed: Owed, composition: Composition, reply: str) -> None:
    """Idempotent; nothing is recorded if another worker has claimed the letter since."""
    with database.transaction() as session:
        standing = _lock(session, owed)
        if outbox.mark(session, owed.letter, State.SENT, reply):
            _record_acceptance(session, standing, composition, reply)


def _lock(session: Session, owed: Owed) -> Owed:
    """Returns `owed` without subscriptions erased in the meantime: no new evidence may be written about them."""
    theirs = select(Subscription.id).where(Subscription.id.in_(owed.newsletters))
    standing = set(session.scalars(theirs.order_by(Subscription.newsletter).with_for_update()))
    return replace(owed, newsletters={id: each for id, each in owed.newsletters.items() if id in standing})


def _record_acceptance(session: Session, owed: Owed, composition: Composition, reply: str) -> None:
    """Evidence that the letter reached the relay; the validity of a confirmation link starts here.

    Preferences letters are not part of the evidence: a request for one adds nothing to the log.
    """
    if owed.letter.kind == LetterKind.PREFERENCES:
        return
    now = clock.now()
    for subscription_id, newsletter in owed.newsletters.items():
        step = Step(
            type=EventType.LETTER_ACCEPTED,
            subscriber_id=owed.letter.subscriber_id,
            subscription_id=subscription_id,
            newsletter=newsletter.slug,
            occurred_at=now,
        )
        consent.record(session, step, Act(Actor.SERVICE, _evidence(owed, composition, reply)))
    if owed.letter.kind == LetterKind.CONFIRMATION:
        _extend(session, owed.letter, composition.expires_at)


def _evidence(owed: Owed, composition: Composition, reply: str) -> dict[str, consent.JsonValue]:
    return {
        "address_commitment": owed.commitment,
        "kind": owed.letter.kind,
        "language": owed.letter.language,
        "letter": str(owed.letter.id),
        "message_id": composition.letter.message_id,
        "relay_reply": reply,
        "rendered_sha256": composition.rendered_sha256,
        "template_sha256": composition.template_sha256,
        **({"change": str(owed.move.change_id)} if owed.move else {}),
    }


def _extend(session: Session, letter: Letter, expires_at: datetime) -> None:
    session.execute(
        update(Subscription)
        .where(Subscription.letter_id == letter.id, Subscription.status == Status.PENDING)
        .values(expires_at=expires_at, version=Subscription.version + 1)
    )
