"""Leavings: who left a newsletter and has been erased since, so that nobody writes to them as to a stranger.

The law asks for a list of those who want no more mail (Royal Decree of 4 April 2003, art. 2, 3°; GDPR Art. 21(3)), so
it outlives erasure and retention. While the subscription is kept, its row says it. Once it is erased, this does: a
keyed digest of the address, the newsletter and the day, until the person confirms the newsletter anew.

Invariant: what others ask or know heeds it (look-up, orders by API); the public form does not, because there the person
asks themselves, and the answer must not tell who is known.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from functools import cache

from sqlalchemy import Connection, Date, ForeignKey, Text, bindparam, delete, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.database import AnyRow, Base, json_insert
from app.database.prepared import PreparedStatement
from app.database.upsert import insert_into
from app.subscriptions.model import Status, Subscriber, Subscription

LEFT = (Status.UNSUBSCRIBED, Status.COMPLAINED)


class KeptLeaving(Base):
    __tablename__ = "leavings"

    digest: Mapped[str] = mapped_column(primary_key=True)
    """`EmailAddress.digest`."""
    newsletter: Mapped[str] = mapped_column(ForeignKey("newsletters.slug"), primary_key=True)
    left_on: Mapped[date] = mapped_column(Date)
    """In UTC. Only the day: whoever kept a list with the exact time could find the row by it."""


def has_left(subscription: Subscription | AnyRow) -> bool:
    """Whether it last ended by leaving, also if it is requested anew. Declining a first request is none."""
    return subscription.ended_as in LEFT and subscription.lapses_at is None


def keep(session: Session, subscription: Subscription, digest: str, left_at: datetime) -> None:
    """Idempotent; of two days the later one stays."""
    row = {"digest": digest, "newsletter": subscription.newsletter, "left_on": left_at.astimezone(UTC).date()}
    written = insert_into(KeptLeaving, session).values(**row)
    session.execute(
        written.on_conflict_do_update(
            index_elements=["digest", "newsletter"],
            set_={"left_on": written.excluded.left_on},
            where=KeptLeaving.left_on < written.excluded.left_on,
        )
    )


def forget(session: Session, confirmed: Sequence[Subscription]) -> None:
    """The person has confirmed these of their subscriptions. Idempotent."""
    if confirmed:
        digest = select(Subscriber.digest).where(Subscriber.id == confirmed[0].subscriber_id).scalar_subquery()
        named = [each.newsletter for each in confirmed]
        session.execute(delete(KeptLeaving).where(KeptLeaving.digest == digest, KeptLeaving.newsletter.in_(named)))


def of(connection: Connection, digest: str) -> Mapping[str, date]:
    """The day, by newsletter."""
    found = connection.execute(select(KeptLeaving.newsletter, KeptLeaving.left_on).where(KeptLeaving.digest == digest))
    return {row.newsletter: row.left_on for row in found}


def look_up(connection: Connection, newsletter: str, digests: Iterable[str]) -> set[str]:
    """Those of the digests that left it."""
    asked = {"newsletter": newsletter, "digests": json_insert.texts(sorted(digests))}
    return {row.digest for row in _looking_up(connection.dialect.name).run(connection, asked)}


@cache
def _looking_up(dialect: str) -> PreparedStatement:
    asked = json_insert.select_texts("digests", dialect)
    which = KeptLeaving.digest.in_(asked) & (KeptLeaving.newsletter == bindparam("newsletter", type_=Text))
    return PreparedStatement(select(KeptLeaving.digest).where(which))
