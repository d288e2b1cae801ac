"""Outbound throttle (GCRA): how much mail may go at a time, in all, to one domain, and for one newsletter.

`used_until` is the theoretical arrival time of a key: a letter advances it by the rate's interval, and may go while it
is no further ahead of now than the burst allows. A letter without room is given a slot; the slots of one key are an
interval apart, in the order in which they were given.

Invariant: a transaction that reads a throttle holds its row until it ends, so no two workers spend the same room.
Locked in the order of the keys.
"""

import hmac
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cache
from math import ceil

from sqlalchemy import Connection, Index, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from app import clock
from app.database import Base, Instant, json_insert
from app.database.prepared import PreparedStatement
from app.database.purge import purge_rows

MILLISECOND = timedelta(milliseconds=1)
COUNTED = 1000
"""Upper limit for the count of used-up throttles."""


class ThrottleKind(StrEnum):
    LETTERS = "letters"
    TO_DOMAIN = "letters_to_domain"
    CONFIRMATIONS = "confirmations"
    CONFIRMATIONS_TO_DOMAIN = "confirmations_to_domain"
    CONFIRMATIONS_FOR_NEWSLETTER = "confirmations_for_newsletter"
    UNPROVEN_FOR_NEWSLETTER = "unproven_for_newsletter"

    def of(self, whom: str) -> str:
        """The key of the throttle for one newsletter, or for one domain by its digest."""
        return f"{self}:{whom}"


class Throttle(Base):
    __tablename__ = "allowances"
    __table_args__ = (Index(None, "used_until"), Index(None, "turns_until"))

    key: Mapped[str] = mapped_column(primary_key=True)
    """The kind, and after a colon, if it has one, the newsletter or `domain_digest`."""
    used_until: Mapped[datetime] = mapped_column(Instant)
    turns_until: Mapped[datetime] = mapped_column(Instant)
    """Slots are taken up to this instant."""


@dataclass(frozen=True, slots=True)
class Rate:
    interval: timedelta
    burst: int
    """How many may go at once after a pause."""


def domain_digest(key: str, domain: str) -> str:
    """Keyed, because a domain may belong to one person, and deleted rows stay in the files for a while."""
    return hmac.digest(key.encode(), f"jawel/domain/v1\n{domain}".encode(), "sha256").hex()[:32]


def a_minute(letters: int) -> Rate:
    """No minute exceeds `letters`, not even the first: the burst is a second's worth."""
    burst = max(1, letters // 60)
    return Rate(_whole(timedelta(minutes=1) / (letters - burst + 1)), burst)


def an_hour(letters: int, burst: int) -> Rate:
    return Rate(_whole(timedelta(hours=1) / letters), burst)


class Tally:
    """Locked throttles, as of one instant. Spending is written when the transaction ends."""

    def __init__(self, rows: Mapping[str, Throttle], now: datetime) -> None:
        self._rows = rows
        self._now = now

    def room(self, key: str, rate: Rate) -> int:
        used = max(self._now, self._used_until(key, rate))
        return max(0, (self._now + rate.burst * rate.interval - used) // rate.interval)

    def spend(self, key: str, rate: Rate, letters: int = 1) -> None:
        self._rows[key].used_until = max(self._now, self._used_until(key, rate)) + letters * rate.interval

    def take(self, rates: Mapping[str, Rate]) -> bool:
        """Spend one of each; or spend nothing and return False if one has no room."""
        if not all(self.room(key, rate) for key, rate in rates.items()):
            return False
        for key, rate in rates.items():
            self.spend(key, rate)
        return True

    def has_pending_slots(self, keys: Collection[str]) -> bool:
        """True if slots are taken that are still to come: a new letter goes behind them."""
        return any(self._rows[key].turns_until > self._now for key in keys)

    def turn(self, rates: Mapping[str, Rate]) -> datetime:
        """Gives a new letter a slot, behind all waiting letters."""
        turn = self.again(rates)
        turn = max(turn, *(self._rows[key].turns_until for key in rates))
        for key, rate in rates.items():
            if self._rows[key].turns_until > self._now or not self.room(key, rate):
                self._rows[key].turns_until = turn + rate.interval
        return turn

    def again(self, rates: Mapping[str, Rate]) -> datetime:
        """The next instant with room, ahead of later slots: for a letter that came too early at its slot."""
        return max(self._now, *(self._frees(key, rate) for key, rate in rates.items()))

    def _frees(self, key: str, rate: Rate) -> datetime:
        return self._used_until(key, rate) - (rate.burst - 1) * rate.interval

    def _used_until(self, key: str, rate: Rate) -> datetime:
        """At most a full burst ahead: a value beyond that, and its slots, came from a clock that was ahead."""
        row, most = self._rows[key], self._now + rate.burst * rate.interval
        if row.used_until > most + clock.AHEAD:
            row.used_until, row.turns_until = most, self._now
        return row.used_until


def lock(session: Session, keys: Collection[str]) -> Tally:
    """Locks the throttles of these keys until the transaction ends; new ones are created at rest."""
    now = _to_the_millisecond(clock.now())
    at_rest = [{"key": key, "used_until": now, "turns_until": now} for key in sorted(keys)]
    connection = session.connection()
    _locking(connection.dialect.name).run(connection, json_insert.parameters({Throttle: at_rest}))
    found = select(Throttle).where(Throttle.key.in_(keys))
    rows = session.scalars(found, execution_options={"populate_existing": True})
    return Tally({row.key: row for row in rows}, now)


@cache
def _locking(dialect: str) -> PreparedStatement:
    """Writes each key, because only that locks its row."""
    new = json_insert.insert(Throttle, dialect)
    upsert = new.on_conflict_do_update(index_elements=["key"], set_={"key": new.excluded.key})
    return PreparedStatement(upsert.returning(Throttle.key))


def used_up(connection: Connection) -> Mapping[str, int]:
    """How many throttles letters wait for, by kind, up to COUNTED in all."""
    waited_for = select(Throttle.key).where(Throttle.turns_until > clock.now()).limit(COUNTED)
    return Counter(key.partition(":")[0] for key in connection.scalars(waited_for))


def purge(session: Session, now: datetime, *, at_most: int) -> int:
    """Deletes throttles at rest, which equal unused ones. Returns how many."""
    at_rest = (Throttle.used_until <= now) & (Throttle.turns_until <= now)
    return purge_rows(session, Throttle, at_rest, at_most=at_most)


def _whole(interval: timedelta) -> timedelta:
    """Rounded up to milliseconds, which SQLite keeps: rounded down, more letters would go than the rate allows."""
    return -(-interval // MILLISECOND) * MILLISECOND


def _to_the_millisecond(instant: datetime) -> datetime:
    return instant.replace(microsecond=0) + MILLISECOND * ceil(instant.microsecond / 1000)
