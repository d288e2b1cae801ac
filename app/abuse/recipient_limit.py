"""Recipient limit: how much mail an address, and all of a mailbox's together, may get before it confirms anything.

Counted over all newsletters and senders, under keyed digests, so that the count outlives the address: a person who is
bombed through a thousand forms gets no more than one who mistyped twice, whatever tags are put behind the name.

The counts of a plain address are in the row of its mailbox, so that most requests write one row.

Lock order: `database.locks`.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta

from sqlalchemy import ColumnElement, Index, or_, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from app import clock
from app.addresses import Digests
from app.database import AnyRow, Base, Instant
from app.database.purge import purge_rows
from app.database.upsert import Insert, insert_into

COOL_DOWN = timedelta(minutes=10)
DAY = timedelta(days=1)
CONFIRMATIONS_A_DAY = 5
TO_A_MAILBOX_A_DAY = 10
"""To all addresses together that probably lead to the mailbox."""


class RecipientLimit(Base):
    """The counts of one address or mailbox. Every request for a letter writes its rows, whatever the outcome."""

    __tablename__ = "mail_budgets"
    __table_args__ = (Index(None, "used_at"),)

    digest: Mapped[str] = mapped_column(primary_key=True)
    """Either of `Digests`; or that of a form id, whose row serves only as a lock."""
    version: Mapped[int]
    confirmations: Mapped[list[int]]
    """When confirmation mails to the address fell due in the last day, in seconds since 1970, oldest first."""
    to_mailbox: Mapped[list[int] | None]
    """The same for all addresses of the mailbox, this one included. None: none, or the same as `confirmations`."""
    told_at: Mapped[datetime | None] = mapped_column(Instant)
    """When the person was last told that everything is confirmed already."""
    linked_at: Mapped[datetime | None] = mapped_column(Instant)
    """When a fresh link to the preferences was last asked for."""
    used_at: Mapped[datetime] = mapped_column(Instant)


def recent(confirmations: list[int], now: datetime) -> list[int]:
    """Those of the last day. Later than the cool-down allows can only be written by a clock ahead: it is capped."""
    earliest, latest = (now - DAY).timestamp(), int((now + COOL_DOWN).timestamp())
    return [min(sent, latest) for sent in confirmations if sent > earliest]


def next_confirmation(confirmations: list[int], to_mailbox: list[int], now: datetime) -> datetime | None:
    """When the next confirmation mail may go: now, at the end of the address's cool-down, or (None) not today.

    `to_mailbox` holds those to all addresses of the mailbox, this one included.
    """
    counted = recent(confirmations, now)
    if len(counted) >= CONFIRMATIONS_A_DAY or len(recent(to_mailbox, now)) >= TO_A_MAILBOX_A_DAY:
        return None
    if not counted:
        return now
    return max(now, datetime.fromtimestamp(counted[-1], UTC) + COOL_DOWN)


def counted_together(confirmations: list[int], to_mailbox: list[int] | None) -> list[int]:
    """For the row of a mailbox; a version from before `to_mailbox` counted both in `confirmations`."""
    return confirmations if to_mailbox is None else to_mailbox


def may_tell(told_at: datetime | None, now: datetime) -> bool:
    return told_at is None or not now - DAY < told_at <= now + clock.AHEAD


def take_link(session: Session, digest: str, now: datetime) -> bool:
    """Whether a fresh link may be mailed now. If so, no other may for the next 10 minutes."""
    is_over = or_(RecipientLimit.linked_at <= now - COOL_DOWN, RecipientLimit.linked_at > now + clock.AHEAD)
    may = or_(RecipientLimit.linked_at.is_(None), is_over)
    written = _write(session, digest, {"linked_at": now, "used_at": now}, may)
    return session.scalars(written.returning(RecipientLimit.digest)).first() is not None


def hold(session: Session, digests: Iterable[str], now: datetime) -> None:
    """Lock the rows of several addresses and mailboxes, or of a form id, until the end of the transaction.

    A request for a subscription of one of them waits; one that has already read their state starts over.
    """
    for digest in sorted(set(digests)):
        _take(session, digest, now)


def spend(session: Session, digests: Digests, now: datetime) -> datetime | None:
    """When the address may be sent a confirmation mail, by `next_confirmation`; counts that mail.

    The same statements run whatever the outcome. Locks both rows.
    """
    taken = {digest: _take(session, digest, now) for digest in sorted({digests.budget, digests.mailbox})}
    alone = recent(taken[digests.budget].confirmations, now)
    mailbox = taken[digests.mailbox]
    together = recent(counted_together(mailbox.confirmations, mailbox.to_mailbox), now)
    due_at = next_confirmation(alone, together, now)
    spent = [int(due_at.timestamp())] if due_at else []
    _count(session, digests.budget, {"confirmations": [*alone, *spent]})
    _count(session, digests.mailbox, {"to_mailbox": [*together, *spent]})
    return due_at


def _take(session: Session, digest: str, now: datetime) -> AnyRow:
    written = _write(session, digest, {"used_at": now})
    return session.execute(written.returning(RecipientLimit.confirmations, RecipientLimit.to_mailbox)).one()


def _count(session: Session, digest: str, counted: Mapping[str, list[int]]) -> None:
    session.execute(update(RecipientLimit).where(RecipientLimit.digest == digest).values(counted))


def _write(
    session: Session, digest: str, instants: Mapping[str, datetime], where: ColumnElement[bool] | None = None
) -> Insert:
    """One statement, whether or not the row exists; `where` limits which existing rows are changed."""
    row = insert_into(RecipientLimit, session).values(digest=digest, version=1, confirmations=[], **instants)
    changed = {**instants, "version": RecipientLimit.version + 1}
    return row.on_conflict_do_update(index_elements=[RecipientLimit.digest], set_=changed, where=where)


def purge(session: Session, now: datetime, *, at_most: int) -> int:
    """Delete the rows of addresses that nobody has asked for in the last day. Returns how many."""
    return purge_rows(session, RecipientLimit, RecipientLimit.used_at <= now - DAY, at_most=at_most)
