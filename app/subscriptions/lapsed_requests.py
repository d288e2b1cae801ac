"""Lapsed requests: the trace of an unconfirmed request, kept to answer "you have spammed me".

The address is erased with the request. Its keyed digest leads to the evidence for `TRACES_KEPT_FOR` longer: a person
who names the address can be told that a form was filled in, when, and that only one letter followed.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Index, Select, exists, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.database import AnyRow, Base, Instant, json_insert
from app.subscriptions.model import Subscriber, Subscription


class LapsedRequest(Base):
    __tablename__ = "stubs"
    __table_args__ = (
        Index(None, "digest"),
        Index(None, "subscriber_id"),
        Index(None, "letter_id"),
        Index(None, "lapsed_at"),
    )

    subscription_id: Mapped[UUID] = mapped_column(primary_key=True)
    """No foreign keys: this row replaces the rows it refers to."""
    subscriber_id: Mapped[UUID]
    newsletter: Mapped[str]
    digest: Mapped[str | None]
    """`EmailAddress.digest`; None if the request lapsed before this table existed."""
    mailbox_digest: Mapped[str | None]
    """`Digests.mailbox`, if the subscriber had one."""
    letter_id: Mapped[UUID | None]
    """Its newest confirmation letter, whose link still says "this was not me"."""
    lapsed_at: Mapped[datetime] = mapped_column(Instant)


def leave(session: Session, subscriptions: Sequence[Subscription | AnyRow], now: datetime) -> None:
    theirs = Subscriber.id.in_({each.subscriber_id for each in subscriptions})
    digests = select(Subscriber.id, Subscriber.digest, Subscriber.mailbox_digest).where(theirs)
    whose = {row.id: row for row in session.execute(digests)}
    values = [
        {
            "subscription_id": each.id,
            "subscriber_id": each.subscriber_id,
            "newsletter": each.newsletter,
            "digest": whose[each.subscriber_id].digest,
            "mailbox_digest": whose[each.subscriber_id].mailbox_digest,
            "letter_id": each.letter_id,
            "lapsed_at": now,
        }
        for each in subscriptions
    ]
    json_insert.insert_all(session.connection(), LapsedRequest, values)


def known_by(letter_id: UUID) -> Select[str | None, str | None]:
    """The digests of the address that the letter went to, and of its mailbox; no row if no request of it has lapsed."""
    return select(LapsedRequest.digest, LapsedRequest.mailbox_digest).where(LapsedRequest.letter_id == letter_id)


def earlier(digest: str) -> Select[UUID]:
    """The ids of subscribers with a lapsed request from the address, except those who have another address since.

    A request that lapses because its person changes address leaves a row for the former address, which others may
    have.
    """
    elsewhere = exists().where(Subscriber.id == LapsedRequest.subscriber_id, Subscriber.digest != digest)
    return select(LapsedRequest.subscriber_id).where(LapsedRequest.digest == digest, ~elsewhere)
