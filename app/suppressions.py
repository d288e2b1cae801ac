"""Suppressions: addresses that must not be written to, and why.

Only a keyed digest is kept, so that the list outlives the erasure of the address it protects. The key is a setting,
outside the database: without it the list says nothing about anyone.

An objection, DECLINED or COMPLAINT, is also kept under the digest of the mailbox that the address probably leads to:
then no address of that mailbox gets a confirmation mail. A hard bounce is kept under its one address only.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BindParameter,
    CheckConstraint,
    ColumnElement,
    Connection,
    Index,
    ScalarSelect,
    SQLColumnExpression,
    case,
    delete,
    exists,
    or_,
    select,
    text,
)
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.addresses import EmailAddress
from app.database import Base, Instant
from app.database.purge import purge_rows
from app.database.upsert import insert_into

ASK_AGAIN_AFTER = timedelta(days=1)
AnyDigest = SQLColumnExpression[str] | SQLColumnExpression[str | None]


class Reason(StrEnum):
    DECLINED = "declined"
    COMPLAINT = "complaint"
    HARD_BOUNCE = "hard_bounce"


class Suppression(Base):
    __tablename__ = "suppressions"
    __table_args__ = (
        CheckConstraint("reason IN ('declined', 'complaint', 'hard_bounce')", "reason"),
        Index(
            "ix_suppressions_ending",
            "until",
            postgresql_where=text("until IS NOT NULL"),
            sqlite_where=text("until IS NOT NULL"),
        ),
    )

    digest: Mapped[str] = mapped_column(primary_key=True)
    reason: Mapped[str] = mapped_column(primary_key=True)
    since: Mapped[datetime] = mapped_column(Instant)
    until: Mapped[datetime | None] = mapped_column(Instant)
    """None: until the operator lifts it by hand."""
    asking_until: Mapped[datetime | None] = mapped_column(Instant)
    """From when a new request may get a confirmation mail despite it. None: not while it is in force."""
    undo_id: Mapped[UUID | None]
    """`Subscription.undo_id` of the press that it comes from, whose undo lifts it. None: it has another source too."""


def digests(address: EmailAddress, key: str) -> tuple[str, str]:
    """Both that an address may be suppressed under: its own digest, and that of its probable mailbox."""
    known_by = address.digests(key)
    return known_by.address, known_by.mailbox


def suppress(session: Session, digest: str, reason: Reason, *, since: datetime, until: datetime | None = None) -> None:
    """Idempotent: the same reason again may move the end to later, and adds no second row."""
    _write(session, {"digest": digest, "reason": reason, "since": since, "until": until, "asking_until": None})


def note_complaint(session: Session, known_by: Iterable[str | None], *, since: datetime) -> None:
    """Under the digest of the address and then, if known, that of its mailbox. Idempotent, as `suppress`.

    `lift_all` with `digests` lifts both.
    """
    _note(session, known_by, {"reason": Reason.COMPLAINT, "since": since, "until": None})


def note_decline(
    session: Session,
    known_by: Iterable[str | None],
    *,
    since: datetime,
    until: datetime,
    undo_id: UUID | None = None,
) -> None:
    """As `note_complaint`; `take_back` lifts it if `undo_id` is given."""
    _note(session, known_by, {"reason": Reason.DECLINED, "since": since, "until": until, "undo_id": undo_id})


def _note(session: Session, known_by: Iterable[str | None], row: Mapping[str, object]) -> None:
    for digest in filter(None, known_by):
        _write(session, {"digest": digest, "asking_until": None, **row})


def take_back(session: Session, known_by: Iterable[str | None], undo_id: UUID) -> None:
    """Lift what the press with this undo id added, except where another objection stood or followed. Idempotent."""
    digests = list(filter(None, known_by))
    session.execute(delete(Suppression).where(Suppression.digest.in_(digests), Suppression.undo_id == undo_id))


def share(session: Session, mailboxes: Mapping[str, str]) -> None:
    """Copy the objections under each of these digests to that of its mailbox. Existing and newer ones stay."""
    objections = select(Suppression).where(Suppression.digest.in_(mailboxes), Suppression.reason != Reason.HARD_BOUNCE)
    for each in session.scalars(objections.order_by(Suppression.since.desc(), Suppression.digest)):
        shared = {"digest": mailboxes[each.digest], "reason": each.reason, "since": each.since, "until": each.until}
        session.execute(insert_into(Suppression, session).values(**shared).on_conflict_do_nothing())


def suppress_mailbox(session: Session, digest: str, now: datetime, *, until: datetime) -> None:
    """Hard bounce: no mail to a mailbox that does not exist; after a day, one confirmation mail may test it again.

    Idempotent, as `suppress`.
    """
    dead = {"digest": digest, "reason": Reason.HARD_BOUNCE, "since": now, "until": until}
    _write(session, {**dead, "asking_until": now + ASK_AGAIN_AFTER})


def _write(session: Session, row: Mapping[str, object]) -> None:
    written = insert_into(Suppression, session).values(**row)
    again: dict[str, ColumnElement[Any]] = {name: written.excluded[name] for name in ("since", "asking_until")}
    # Of two objections each stands by itself: the undo of one must not lift the other.
    is_over = Suppression.until <= written.excluded.since
    again["undo_id"] = case((is_over, written.excluded.undo_id), else_=None)
    # A cancelled request holds for a day only, and must not shorten a "this was not me".
    again["until"] = case((Suppression.until > written.excluded.until, Suppression.until), else_=written.excluded.until)
    session.execute(written.on_conflict_do_update(index_elements=["digest", "reason"], set_=again))


def lift(session: Session, digest: str | ScalarSelect[str], reason: Reason) -> None:
    """Idempotent."""
    session.execute(delete(Suppression).where(Suppression.digest == digest, Suppression.reason == reason))


def lift_all(session: Session, digests: Sequence[str], now: datetime) -> list[Reason]:
    """Lift every suppression in force, whatever its reason. Returns the reasons; empty if there were none."""
    lifted = delete(Suppression).where(Suppression.digest.in_(digests), in_force(now)).returning(Suppression.reason)
    return sorted({Reason(reason) for reason in session.scalars(lifted)})


def reasons(connection: Connection, digests: Sequence[str], now: datetime) -> list[Reason]:
    """Those in force."""
    found = connection.scalars(select(Suppression.reason).where(Suppression.digest.in_(digests), in_force(now)))
    return sorted({Reason(reason) for reason in found})


def in_force(at: BindParameter[datetime] | datetime) -> ColumnElement[bool]:
    return or_(Suppression.until.is_(None), Suppression.until > at)


def forbids_asking(known_by: Sequence[AnyDigest], at: BindParameter[datetime] | datetime) -> ColumnElement[bool]:
    """Any reason, of the address or of its mailbox: such an address gets no confirmation mail.

    A hard bounce forbids it for a day only.
    """
    not_yet = or_(Suppression.asking_until.is_(None), Suppression.asking_until > at)
    return exists().where(Suppression.digest.in_(known_by), in_force(at), not_yet)


def forbids_mail(digest: SQLColumnExpression[str], at: BindParameter[datetime] | datetime) -> ColumnElement[bool]:
    """Complaint or hard bounce. Declining one request does not affect earlier confirmations."""
    return exists().where(Suppression.digest == digest, in_force(at), Suppression.reason != Reason.DECLINED)


def purge(session: Session, now: datetime, *, at_most: int) -> int:
    """Delete expired suppressions. Returns how many."""
    return purge_rows(session, Suppression, Suppression.until <= now, at_most=at_most)
