"""Remembers for which mail servers the plain envelope sender is used, because they refused the signed one.

Invariant: it is noted only after the server has accepted a letter from the plain sender. Another server, or another
account on it, is tried with the signed sender again.
"""

import hashlib
from datetime import datetime

import structlog
from sqlalchemy import Connection, select
from sqlalchemy.orm import Mapped, mapped_column

from app import clock
from app.database import Base, Database, Instant
from app.database.upsert import insert_into
from app.mail.delivery.smtp import RelayProfile
from config import Envelope, MailServer

log = structlog.get_logger()


class PlainEnvelope(Base):
    __tablename__ = "plain_envelopes"

    server: Mapped[str] = mapped_column(primary_key=True)
    """A digest of host, port and account."""
    since: Mapped[datetime] = mapped_column(Instant)


def plain_since(connection: Connection, server: MailServer) -> datetime | None:
    """None if the signed sender is used."""
    return connection.scalar(select(PlainEnvelope.since).where(PlainEnvelope.server == _digest(server)))


def is_plain(connection: Connection, server: MailServer) -> bool:
    """Whether letters go out from the plain sender, by the setting or because the server refused the signed one."""
    return server.envelope is Envelope.PLAIN or plain_since(connection, server) is not None


class EnvelopeMemory:
    """Of one worker, for all its connections."""

    def __init__(self, database: Database, server: MailServer | None, profile: RelayProfile) -> None:
        self._database, self._server, self._profile = database, server, profile
        self._known: Envelope | None = None

    def restore(self) -> None:
        """Use the plain sender if that was noted. Reads once; a worker may start before its database does."""
        if self._known is None:
            with self._database.read_only() as connection:
                if self._server and plain_since(connection, self._server):
                    self._profile.envelope = Envelope.PLAIN
            self._known = self._profile.envelope

    def note(self) -> None:
        """After a letter was accepted: writes only if the envelope has changed since. Idempotent."""
        if self._server is None or self._profile.envelope is self._known:
            return
        with self._database.transaction() as session:
            row = insert_into(PlainEnvelope, session).values(server=_digest(self._server), since=clock.now())
            session.execute(row.on_conflict_do_nothing())
        self._known = self._profile.envelope
        log.warning("mail_server.envelope_refused", server=self._server.host, remedy="set MAIL_ENVELOPE=plain")


def _digest(server: MailServer) -> str:
    return hashlib.sha256(f"{server.host}\n{server.port}\n{server.username}".encode()).hexdigest()[:32]
