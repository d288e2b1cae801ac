"""What the service has in the end, held against what people were answered."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, fields

from trials import stage
from trials.people import Arrival, World

IN_FLIGHT_SECONDS = 3.0
"""A letter that was on its way when its address was shut may arrive within that time."""
STANDING = """
    SELECT s.canonical AS email, u.status,
        EXISTS (SELECT 1 FROM consent_events e WHERE e.subscription_id = u.id AND e.type = 'subscription.requested'),
        EXISTS (SELECT 1 FROM consent_events e WHERE e.subscription_id = u.id AND e.type = 'subscription.confirmed')
    FROM subscribers s JOIN subscriptions u ON u.subscriber_id = s.id
"""


@dataclass(frozen=True, slots=True)
class Verdict:
    signups: int
    """Answered 202, by addresses of their own."""
    letters: int
    repeats: int
    """Letters that came again, under the same Message-ID."""
    confirmed: int
    left: int
    shut: int
    """Declined or complained, and signed up again by somebody."""
    missing: int
    """Signups without subscription or without evidence."""
    unmailed: int
    unpressed: int
    """Confirmed, and nobody had pressed."""
    forgotten: int
    """Presses and leavings that were answered 200 and are not there."""
    unwelcome: int
    """Letters to those who were shut."""
    twice: int
    """Addresses that were asked by two letters, rather than by one that came twice."""
    audit: int = 0
    owed: int = 0

    def faults(self) -> int:
        found = (self.missing, self.unmailed, self.unpressed, self.forgotten, self.unwelcome, self.twice)
        return sum(found) + self.audit + self.owed

    def lines(self) -> Iterator[str]:
        for each in fields(self):
            yield f"{each.name:<22}{getattr(self, each.name):,}"


def owed(database_url: str) -> int:
    found = stage.rows(database_url, "SELECT count(*) FROM letters WHERE state IN ('queued', 'deferred')")
    return int(found[0][0])


def reach(database_url: str, world: World) -> Verdict:
    found = {row[0]: row[1:] for row in stage.rows(database_url, STANDING)}
    diary, arrivals = world.diary, world.arrivals
    confirmed = {email for email, (_status, _requested, is_confirmed) in found.items() if is_confirmed}
    gone = {email for email in diary.left if found.get(email, ("",))[0] == "unsubscribed"}
    evident = {email for email, (_status, is_requested, _confirmed) in found.items() if is_requested}
    mailed = {each.letter.recipient for each in arrivals}
    copies = Counter(each.letter.message["Message-ID"] for each in arrivals)
    return Verdict(
        signups=len(diary.accepted),
        letters=len(arrivals),
        repeats=copies.total() - len(copies),
        confirmed=len(confirmed),
        left=len(diary.left),
        shut=len(diary.shut),
        missing=len(diary.accepted - diary.declining - evident),
        unmailed=len(diary.accepted - diary.shutting - mailed),
        unpressed=len(confirmed - diary.pressing),
        forgotten=len(diary.pressed - confirmed) + len(diary.left - gone),
        unwelcome=sum(_is_unwelcome(each, world) for each in arrivals),
        twice=sum(len(ids) > 1 for ids in _asked_by(arrivals).values()),
    )


def _is_unwelcome(arrival: Arrival, world: World) -> bool:
    shut_at = world.diary.shut.get(arrival.letter.recipient)
    return shut_at is not None and arrival.at > shut_at + IN_FLIGHT_SECONDS


def _asked_by(arrivals: list[Arrival]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for each in arrivals:
        if each.link:
            found.setdefault(each.letter.recipient, set()).add(str(each.letter.message["Message-ID"]))
    return found
