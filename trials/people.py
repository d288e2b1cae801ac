"""People who sign up, confirm, decline, leave and complain, and remember what they were answered.

What they did is what the service is measured by at the end; an act whose answer was lost may or may not have happened.
"""

import json
import queue
import random
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from sqlalchemy.exc import SQLAlchemyError

from app import clock, suppressions
from app.addresses import EmailAddress
from app.database import Database
from app.suppressions import Reason
from tests.smtp import Delivered, MailServer
from trials import stage
from trials.stage import Answer

TRIES = 60
PAUSE_SECONDS = 0.5
LINK = re.compile(rf"^{re.escape(stage.ORIGIN)}(/confirm/\S+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Arrival:
    at: float
    letter: Delivered

    @property
    def link(self) -> str | None:
        """Of a letter that asks for confirmation."""
        found = LINK.search(self.letter.part("plain"))
        return found[1] if found else None


@dataclass
class Diary:
    """By address. What was begun may have happened; what is in the others was answered."""

    accepted: set[str] = field(default_factory=set)
    pressing: set[str] = field(default_factory=set)
    pressed: set[str] = field(default_factory=set)
    declining: set[str] = field(default_factory=set)
    left: set[str] = field(default_factory=set)
    shut: dict[str, float] = field(default_factory=dict)
    """Declined or suppressed, and when that was answered: nothing may arrive from then on."""
    shutting: set[str] = field(default_factory=set)


@dataclass
class World:
    port: int
    database: Database
    suppression_key: str
    api_key: str
    seed: int
    diary: Diary = field(default_factory=Diary)
    arrivals: list[Arrival] = field(default_factory=list)
    inbox: "queue.SimpleQueue[Arrival]" = field(default_factory=queue.SimpleQueue)
    stop: threading.Event = field(default_factory=threading.Event)

    def receive_from(self, sink: MailServer) -> None:
        def take(letter: Delivered) -> None:
            arrival = Arrival(time.monotonic(), letter)
            self.arrivals.append(arrival)
            self.inbox.put(arrival)

        sink.on_letter = take


def live(world: World, who: int) -> None:
    """One person after another, until the world stops."""
    chance = random.Random(f"{world.seed} {who}")
    number = 0
    while not world.stop.is_set():
        number += 1
        if chance.random() < 0.5:
            _sign_up(world, f"ada@p{who}n{number}.example.org", complains=chance.random() < 0.1)
        else:
            _read_mail(world, chance)
        world.stop.wait(chance.uniform(0, 0.05))


def _sign_up(world: World, email: str, *, complains: bool) -> None:
    if stage.sign_up(world.port, email).status == 202:
        world.diary.accepted.add(email)
        if complains:
            _complain(world, email)


def _read_mail(world: World, chance: random.Random) -> None:
    try:
        arrival = world.inbox.get(timeout=0.05)
    except queue.Empty:
        return
    email, link, does = arrival.letter.recipient, arrival.link, chance.random()
    if link is None or email in world.diary.shutting:
        return
    if does < 0.5:
        _confirm(world, email, link)
        if does < 0.2:
            _leave(world, email)
    elif does < 0.7:
        _decline(world, email, link)
    elif does < 0.8:
        _complain(world, email)


def _confirm(world: World, email: str, link: str) -> None:
    world.diary.pressing.add(email)
    if _until(world, lambda: stage.ask(world.port, "POST", link).status == 200):
        world.diary.pressed.add(email)


def _leave(world: World, email: str) -> None:
    headers = {"Authorization": f"Bearer {world.api_key}"}
    answer = Answer(stage.AWAY)

    def look_up() -> bool:
        nonlocal answer
        answer = stage.ask(world.port, "GET", f"/api/v1/subscribers/{email}", headers=headers)
        return answer.status == 200

    if email not in world.diary.pressed or not _until(world, look_up):
        return
    link = json.loads(answer.body)["subscriptions"][0]["links"]["unsubscribe"].removeprefix(stage.ORIGIN)
    if _until(world, lambda: stage.ask(world.port, "POST", link).status == 200):
        world.diary.left.add(email)


def _decline(world: World, email: str, link: str) -> None:
    world.diary.shutting.add(email)
    world.diary.declining.add(email)
    if _until(world, lambda: stage.ask(world.port, "POST", f"{link}/decline").status == 200):
        world.diary.shut[email] = time.monotonic()
        stage.sign_up(world.port, email)


def _complain(world: World, email: str) -> None:
    """Suppressed for good; and somebody signs the address up all the same."""
    world.diary.shutting.add(email)
    if _until(world, lambda: _suppress(world, email)):
        world.diary.shut[email] = time.monotonic()
        stage.sign_up(world.port, email)


def _suppress(world: World, email: str) -> bool:
    digest = EmailAddress.parse(email).digest(world.suppression_key)
    try:
        with world.database.transaction() as session:
            suppressions.suppress(session, digest, Reason.COMPLAINT, since=clock.now())
    except SQLAlchemyError:
        return False
    return True


def _until(world: World, done: Callable[[], bool]) -> bool:
    """As people do: again, after a moment. False where the world ends before it is done."""
    for _ in range(TRIES):
        if done():
            return True
        if world.stop.wait(PAUSE_SECONDS):
            return False
    return False
