"""Outbox: the letters owed.

A row is an intent: which letter, to whom, about which subscriptions. Text and token are created when it is sent, so
the database holds nothing that could confirm a subscription, and a letter that became untrue meanwhile is never sent.

Invariant: a letter is claimed under a lease before it is sent and marked after; if a worker dies in between, the
lease expires, and the letter is sent again under the same Message-ID. At least once, never silently lost.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID, uuid4

from sqlalchemy import (
    CheckConstraint,
    ColumnElement,
    ForeignKey,
    Index,
    Select,
    exists,
    false,
    func,
    insert,
    literal,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.orm import Mapped, Session, mapped_column

from app import clock
from app.database import Base, Instant


class LetterKind(StrEnum):
    CONFIRMATION = "confirmation"
    ALREADY_CONFIRMED = "already_confirmed"
    UNSUBSCRIBED = "unsubscribed"
    RESUBSCRIBED = "resubscribed"
    """An unsubscription was undone: tells the mailbox holder, with a link to unsubscribe."""
    PREFERENCES = "preferences"
    ADDRESS_CHANGE = "address_change"
    """To the new address, for its holder to confirm."""
    ADDRESS_CHANGED = "address_changed"
    """To the former address, with a link to undo the change."""


class State(StrEnum):
    """`queued` and `deferred` are still owed; the others are final."""

    QUEUED = "queued"
    DEFERRED = "deferred"
    SENT = "sent"
    BOUNCED = "bounced"
    FAILED = "failed"
    DROPPED = "dropped"


OWED = (State.QUEUED, State.DEFERRED)
_IS_OWED = "state IN ('queued', 'deferred')"
IS_OWED = text(_IS_OWED)
_IS_FAILED = "state = 'failed'"
IS_FAILED = text(_IS_FAILED)

LONGEST_LEASE = timedelta(hours=1)
"""Default longest lease. One that runs for longer was taken while a clock was ahead."""


class Letter(Base):
    __tablename__ = "letters"
    __table_args__ = (
        CheckConstraint(f"kind IN ({', '.join(repr(str(kind)) for kind in LetterKind)})", "kind"),
        CheckConstraint("state IN ('queued', 'deferred', 'sent', 'bounced', 'failed', 'dropped')", "state"),
        Index("ix_letters_due", "due_at", postgresql_where=text(_IS_OWED), sqlite_where=text(_IS_OWED)),
        Index("ix_letters_failed", "state_at", postgresql_where=text(_IS_FAILED), sqlite_where=text(_IS_FAILED)),
        Index(None, "subscriber_id"),
        Index(None, "address_change_id"),
        Index(
            "ix_letters_attempt",
            "attempt",
            postgresql_where=text("attempt IS NOT NULL"),
            sqlite_where=text("attempt IS NOT NULL"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    kind: Mapped[str]
    subscriber_id: Mapped[UUID] = mapped_column(ForeignKey("subscribers.id", ondelete="CASCADE"))
    language: Mapped[str]
    about: Mapped[dict[str, str]]
    """Subscription id → its nonce when a request owed or joined the letter. Once it changes, the link is void for it.

    Empty for a letter about the person as a whole.
    """
    asked_from: Mapped[str | None]
    """The page of the signup form, which the letter names."""
    form_id: Mapped[str | None] = mapped_column("attempt")
    """Keyed digest of the id that the first signup form chose: the letter's code can be typed into that form.

    Those of forms that joined the letter are with the subscriptions.
    """
    wrong_codes: Mapped[int] = mapped_column("tries", default=0, server_default="0")
    is_unproven: Mapped[bool] = mapped_column(default=False, server_default=false())
    """Requested while its newsletter was attacked, without a proof of work: subject to a small throttle."""
    address_change_id: Mapped[UUID | None] = mapped_column(ForeignKey("address_changes.id", ondelete="CASCADE"))
    """For a letter about an address change: that change, which holds the address to write to."""
    state: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(Instant)
    due_at: Mapped[datetime] = mapped_column(Instant)
    unanswered: Mapped[int] = mapped_column(default=0, server_default="0")
    """How often its content was sent and no reply came: it may have arrived as often."""
    deliveries: Mapped[int] = mapped_column("attempts")
    """How often it was claimed to be sent; a claim that failed through no fault of the letter is subtracted."""
    lease: Mapped[UUID | None]
    leased_until: Mapped[datetime | None] = mapped_column(Instant)
    state_at: Mapped[datetime] = mapped_column(Instant)
    reply: Mapped[str | None]
    """The mail server's answer, as a code only: its text may quote the address."""


def owe(session: Session, kind: LetterKind, *, subscriber_id: UUID, language: str, about: dict[str, str]) -> Letter:
    """Add a letter to the outbox. It is sent only after the transaction has committed."""
    now = clock.now()
    letter = Letter(
        id=uuid4(),
        kind=kind,
        subscriber_id=subscriber_id,
        language=language,
        about=about,
        state=State.QUEUED,
        state_at=now,
        created_at=now,
        due_at=now,
        deliveries=0,
    )
    session.add(letter)
    return letter


def owe_found(session: Session, kind: LetterKind, found: Select[UUID, str], *, a_day: int) -> None:
    """Owe a letter about the person as a whole to the one subscriber that `found` yields (id, language), if any.

    Not if such a letter is still owed, or was owed `a_day` times in the last day. One statement in every case.
    """
    now = clock.now()
    whom = found.subquery()
    theirs = (Letter.subscriber_id == whom.c.id) & (Letter.kind == kind)
    is_owed = exists().where(theirs, text(_IS_OWED))
    lately = select(func.count()).where(theirs, Letter.created_at > now - timedelta(days=1)).scalar_subquery()
    values = {
        Letter.id: uuid4(),
        Letter.kind: kind,
        Letter.about: {},
        Letter.state: State.QUEUED,
        Letter.state_at: now,
        Letter.created_at: now,
        Letter.due_at: now,
        Letter.deliveries: 0,
    }
    constants = [literal(value, column.type) for column, value in values.items()]
    letter = select(whom.c.id, whom.c.language, *constants).where(~is_owed, lately < a_day)
    session.execute(insert(Letter).from_select([Letter.subscriber_id, Letter.language, *values], letter))


def owed_lately(session: Session, kind: LetterKind, subscriber_id: UUID) -> int:
    """How many such letters the person was owed in the last day, including those outdated when due."""
    theirs = (Letter.subscriber_id == subscriber_id) & (Letter.kind == kind)
    lately = Letter.created_at > clock.now() - timedelta(days=1)
    return session.scalar(select(func.count()).select_from(Letter).where(theirs, lately)) or 0


def claim(session: Session, *, lease_for: timedelta, at_most: int) -> list[Letter]:
    """Claim the letters that have waited longest, until the lease expires. Other workers skip them."""
    now = clock.now()
    due = (
        select(Letter.id)
        .where(text(_IS_OWED), Letter.due_at <= now, is_free(now, lease_for + clock.AHEAD))
        .order_by(Letter.due_at, Letter.created_at)
        .limit(at_most)
        .with_for_update(skip_locked=True)
    )
    return sorted(lease(session, due, now + lease_for), key=lambda letter: (letter.due_at, letter.created_at))


def lease(session: Session, found: Select[UUID], until: datetime) -> list[Letter]:
    """Lease the letters found, which are due and free; unordered. One statement."""
    taken = update(Letter).where(Letter.id.in_(found))
    values = {"lease": uuid4(), "leased_until": until, "deliveries": Letter.deliveries + 1}
    return [*session.scalars(taken.values(**values).returning(Letter))]


def release(session: Session, letters: Sequence[Letter]) -> None:
    """Give back claimed letters that were not tried. They keep their place."""
    ours = Letter.id.in_([letter.id for letter in letters]) & Letter.lease.in_({letter.lease for letter in letters})
    session.execute(update(Letter).where(ours).values(**FREE, deliveries=Letter.deliveries - 1))


def renew(session: Session, letter: Letter, lease_for: timedelta) -> None:
    """Keep a claimed letter for that long from now. Nothing happens if another worker has claimed it since."""
    letter.leased_until = clock.now() + lease_for
    write(session, letter, leased_until=letter.leased_until)


def put_off(session: Session, letter: Letter, due_at: datetime) -> None:
    """Give back a claimed letter until `due_at`. Its state does not change."""
    write(session, letter, **FREE, deliveries=letter.deliveries - 1, due_at=due_at)


def mark(session: Session, letter: Letter, state: State, reply: str) -> bool:
    """Record a claimed letter's new state. Returns False as `write` does."""
    return write(session, letter, **FREE, state=state, state_at=clock.now(), reply=reply)


def record_bounce(session: Session, letter_id: UUID, state: State, code: str) -> None:
    """Record a bounce, as `bounced` or `failed`, whichever worker holds the letter. Idempotent."""
    stands = Letter.state.not_in([State.BOUNCED, State.DROPPED])
    reply = {"reply": code} if code else {}
    values = {**FREE, **reply, "state": state, "state_at": clock.now()}
    session.execute(update(Letter).where(Letter.id == letter_id, stands).values(**values))


def is_free(now: datetime, longest: timedelta = LONGEST_LEASE) -> ColumnElement[bool]:
    """Whether no worker holds a lease. One that runs for longer than `longest` is ignored."""
    return or_(Letter.leased_until.is_(None), Letter.leased_until <= now, Letter.leased_until > now + longest)


def is_held(letter: Letter, lease_for: timedelta, *, at_least: timedelta) -> bool:
    """Whether other workers skip a claimed letter for at least that long; False if the clock was set back."""
    now = clock.now()
    assert letter.leased_until is not None
    return now + at_least <= letter.leased_until <= now + lease_for + clock.AHEAD


def write(session: Session, letter: Letter, **values: object) -> bool:
    """Change a claimed letter. False if the lease has expired and another worker holds the letter."""
    still_ours = (Letter.id == letter.id) & (Letter.lease == letter.lease)
    return bool(session.scalars(update(Letter).where(still_ours).values(**values).returning(Letter.id)).first())


FREE: dict[str, None] = {"lease": None, "leased_until": None}
