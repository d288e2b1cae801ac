"""Anchors: time stamps of checkpoints by time-stamping authorities (RFC 3161).

A log proves the order of its entries, but their times rest on its own clock. An authority that signs a checkpoint
together with its own time proves that every entry in it is older than that, whoever controls the log. The time stamp of
a qualified authority is presumed accurate by law (eIDAS Art. 41(2)).

Invariant: nothing waits for an authority. If it is unavailable, it is asked again later; checkpoints are signed without
it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from sqlalchemy import Connection, ForeignKey, LargeBinary, Text, bindparam, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from app import clock
from app.database import AnyRow, Base, Instant
from app.database.upsert import insert_into
from app.errors import JawelError
from app.ledger.model import Number, SignedCheckpoint

TYPE = "application/timestamp-query"
SECONDS = 10
MAX_BYTES = 64 * 1024


class Unanchored(JawelError):
    """The authority gave no time stamp that matches the request. Retry later."""


class Anchor(Base):
    """An authority's response about a checkpoint, stored unaltered, like the checkpoint itself."""

    __tablename__ = "anchors"

    size: Mapped[int] = mapped_column(Number, ForeignKey("checkpoints.size"), primary_key=True, autoincrement=False)
    authority: Mapped[str] = mapped_column(primary_key=True)
    """Its URL, as in the setting."""
    response: Mapped[bytes] = mapped_column(LargeBinary)
    """The DER of its TimeStampResp (RFC 3161 section 2.4.2), over the SHA-256 of the signed note."""
    obtained_at: Mapped[datetime] = mapped_column(Instant)


@dataclass(frozen=True, slots=True)
class Schedule:
    """Which authorities to ask, and how often. They set limits: Sectigo wants 15 seconds between two requests."""

    authorities: tuple[str, ...]
    every: timedelta


@dataclass(frozen=True, slots=True)
class Due:
    authority: str
    size: int
    note: str


def due(connection: Connection, schedule: Schedule, now: datetime) -> list[Due]:
    """For each authority that is due, the newest checkpoint, unless that authority has stamped it already."""
    newest = connection.execute(_NEWEST).first()
    if newest is None:
        return []
    return [
        Due(authority, newest.size, newest.note)
        for authority in schedule.authorities
        if _is_due(connection.execute(_LAST, {"authority": authority}).first(), newest.size, schedule.every, now)
    ]


def _is_due(last: AnyRow | None, size: int, every: timedelta, now: datetime) -> bool:
    """An `obtained_at` in the future comes from a clock that was ahead; its age is unknown, so the anchor is due."""
    if last is None:
        return True
    return last.size < size and not now - every < last.obtained_at <= now + clock.AHEAD


def ask(authority: str, note: str) -> bytes:
    """The authority's response about the note. Raises Unanchored.

    Only compares the response with the request; whether to trust the authority is the reader's decision.
    """
    import urllib3  # noqa: PLC0415 - needed only if checkpoints are stamped
    from rfc3161_client import HashAlgorithm, TimestampRequestBuilder, decode_timestamp_response  # noqa: PLC0415

    question = TimestampRequestBuilder(note.encode(), HashAlgorithm.SHA256).build()
    try:
        with urllib3.PoolManager(num_pools=1, timeout=urllib3.Timeout(SECONDS)) as http:
            answer = http.request(
                "POST",
                authority,
                body=question.as_bytes(),
                headers={"Content-Type": TYPE},
                retries=False,
                redirect=False,
                preload_content=False,
            )
            content = answer.read(MAX_BYTES)
            answer.release_conn()
        response = decode_timestamp_response(content)
        fits = (
            answer.status == 200
            and response.status == 0
            and response.tst_info.nonce == question.nonce
            and response.tst_info.message_imprint.message == question.message_imprint.message
        )
    except (urllib3.exceptions.HTTPError, ValueError) as error:
        raise Unanchored(type(error).__name__) from None
    if not fits:
        raise Unanchored("the answer does not fit the question")
    return content


def keep(session: Session, anchor: Anchor) -> None:
    """Store the anchor. Idempotent: if two workers asked about the same checkpoint, the first response is kept."""
    if session.get(Anchor, (anchor.size, anchor.authority)) is not None:
        return
    columns = Anchor.__table__.columns
    row = insert_into(Anchor, session).values({each.name: getattr(anchor, each.key) for each in columns})
    session.execute(row.on_conflict_do_nothing())


def of(connection: Connection, notes: Sequence[str]) -> list[tuple[str, bytes]]:
    """Signed note and response for each anchor of these checkpoints, oldest checkpoint first."""
    held = select(SignedCheckpoint.note, Anchor.response).join(Anchor, Anchor.size == SignedCheckpoint.size)
    found = held.where(SignedCheckpoint.note.in_(notes)).order_by(Anchor.size, Anchor.authority)
    return [(row.note, bytes(row.response)) for row in connection.execute(found)]


def newest(connection: Connection, authority: str) -> datetime | None:
    """When the authority stamped the newest of the checkpoints that it has stamped."""
    return connection.scalar(_NEWEST_BY, {"authority": authority})


def name(authority: str) -> str:
    """The host name, for logs and metrics: a URL may hold a password."""
    try:
        return urlsplit(authority).hostname or "unknown"
    except ValueError:
        return "unknown"


_NEWEST = select(SignedCheckpoint.size, SignedCheckpoint.note).order_by(SignedCheckpoint.size.desc()).limit(1)
_NEWEST_BY = (
    select(Anchor.obtained_at)
    .where(Anchor.authority == bindparam("authority", type_=Text))
    .order_by(Anchor.size.desc())
    .limit(1)
)
_LAST = (
    select(Anchor.size, Anchor.obtained_at)
    .where(Anchor.authority == bindparam("authority", type_=Text))
    .order_by(Anchor.size.desc())
    .limit(1)
)
