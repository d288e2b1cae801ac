"""Keeps the lease on a letter while a mail server's reply is awaited, and notes that its content was sent.

Invariant: once the content has been sent for a few seconds, the row says that the letter is due in an hour. So a worker
that dies or is stopped while it waits causes no repeat before that.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from app import outbox
from app.database import Database
from app.feedback.replies import Stage
from app.mail import retry
from app.mail.delivery.failures import AnswerMissing, Undelivered
from app.outbox import Letter

log = structlog.get_logger()

LEASE = timedelta(minutes=5)


@dataclass(slots=True)
class LeaseKeeper:
    """Of one letter: a context around its delivery, and called while a reply is awaited. It raises nothing itself."""

    database: Database
    letter: Letter
    is_noted: bool = False

    def __call__(self, stage: Stage) -> None:
        with self._writing() as session:
            outbox.renew(session, self.letter, LEASE)
            if stage is Stage.CONTENT and not self.is_noted:
                # Before the commit: one that fails is made good by the next, and counts once.
                self.is_noted = True
                retry.note_unanswered(session, self.letter)

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        """A reply that came late is a reply: what was noted before it is taken back."""
        is_answered = error is None or (isinstance(error, Undelivered) and not isinstance(error, AnswerMissing))
        if self.is_noted and is_answered:
            with self._writing() as session:
                retry.note_answer(session, self.letter)

    @contextmanager
    def _writing(self) -> Iterator[Session]:
        try:
            with self.database.transaction() as session:
                yield session
        except SQLAlchemyError as error:
            # The letter is under way: to break off would not call it back.
            log.warning("letter.not_marked", letter=str(self.letter.id), kind=type(error).__name__)
