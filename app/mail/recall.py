"""Recalls letters whose `due_at` was set by a clock that was ahead: they become due now."""

from datetime import datetime

import structlog
from sqlalchemy import ColumnElement, select, true, update
from sqlalchemy.orm import Session

from app import clock, outbox
from app.clock import ClockShift
from app.database import Database
from app.outbox import Letter

log = structlog.get_logger()

EVERY_SECONDS = 60


class Recall:
    """Of one worker: recalls letters of other workers every minute, and all waiting ones if its clock was set back."""

    def __init__(self) -> None:
        self._clock_shift = ClockShift()
        self._called_at = float("-inf")

    def call(self, database: Database) -> None:
        whose = self._affected_letters()
        if whose is None:
            return
        with database.transaction() as session:
            letters = _due_now(session, clock.now(), whose)
        self._clock_shift.accept()
        self._called_at = clock.steady()
        if letters:
            log.warning("letters.called_back", count=letters)

    def _affected_letters(self) -> ColumnElement[bool] | None:
        if self._clock_shift.far() < -clock.AHEAD:
            # It is unknown which of the waiting letters are affected.
            return true()
        is_time = clock.steady() - self._called_at >= EVERY_SECONDS
        return Letter.state_at > clock.now() + clock.AHEAD if is_time else None


def _due_now(session: Session, now: datetime, whose: ColumnElement[bool]) -> int:
    waits = select(Letter.id).where(outbox.IS_OWED, Letter.due_at > now + clock.AHEAD, whose, outbox.is_free(now))
    called = update(Letter).where(Letter.id.in_(waits.with_for_update(skip_locked=True)))
    return len(session.scalars(called.values(due_at=now, state_at=now).returning(Letter.id)).all())
