"""Faults of a machine and of what stands around the service: each is a call, and when it returns the cause is gone.

What the service makes of it is the trial's to see.
"""

import os
import random
import resource
import signal
import socket
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import psycopg

from tests.disks import Disk
from tests.postgresql import MortalServer
from tests.smtp import MailServer
from trials import clocks
from trials.people import World
from trials.stage import Kept

SHORTEST_SECONDS, LONGEST_SECONDS = 2, 25
DRIPPING = 64
"""Connections, each with a body that comes a byte a second."""
CONFUSED = (signal.SIGUSR1, signal.SIGUSR2, signal.SIGHUP)


@dataclass
class Scene:
    """What faults act upon."""

    world: World
    web: Kept
    """`jawel serve` with its worker."""
    server: MortalServer | None
    """None: SQLite."""
    mail: MailServer
    chance: random.Random
    clock: Path
    """What its clocks follow."""
    disks: tuple[Disk, ...] = ()
    """File systems of their own: of the database, and of the logs."""


Fault = Callable[[Scene, float], None]
"""Given how many seconds it may last."""


def playable(scene: Scene) -> dict[str, Fault]:
    """By name; those that take what is missing here are left out."""
    found: dict[str, Fault] = {
        "process killed": _killed,
        "server killed": _server_killed,
        "process stopped": _stopped,
        "signals": _signals,
        "mail server away": _mail_away,
        "bodies drip": _dripping,
        "descriptors run out": _without_descriptors,
        "clock jumps": _clock_jumped,
    }
    if scene.server:
        found |= {
            "database frozen": _frozen,
            "database killed": _database_killed,
            "sessions killed": _sessions_killed,
            "connections used up": _connections_used_up,
            "table locked": _table_locked,
        }
    if scene.disks:
        found |= {"disk of the database full": _database_disk_full, "disk of the logs full": _log_disk_full}
    return found


def _killed(scene: Scene, _seconds: float) -> None:
    _signal_one(scene, signal.SIGKILL)


def _server_killed(scene: Scene, _seconds: float) -> None:
    if scene.web.process:
        scene.web.process.kill()


def _stopped(scene: Scene, seconds: float) -> None:
    """One of its processes, and nobody continues it."""
    _signal_one(scene, signal.SIGSTOP)
    time.sleep(seconds)


def _signal_one(scene: Scene, number: signal.Signals) -> None:
    if found := scene.web.children():
        with suppress(ProcessLookupError):
            os.kill(scene.chance.choice(found), number)


def _signals(scene: Scene, _seconds: float) -> None:
    for number in CONFUSED:
        if scene.web.process:
            scene.web.process.send_signal(number)
        time.sleep(0.2)


def _mail_away(scene: Scene, seconds: float) -> None:
    scene.mail.stop()
    time.sleep(seconds)
    again = MailServer(port=scene.mail.port)
    again.letters = scene.mail.letters
    scene.world.receive_from(again)
    again.start()
    scene.mail = again


def _dripping(scene: Scene, seconds: float) -> None:
    head = (
        b"POST /subscribe HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 9000\r\n\r\n"
    )
    with ExitStack() as opened:
        dripping = []
        for _ in range(DRIPPING):
            with suppress(OSError):
                connection = opened.enter_context(socket.create_connection(("127.0.0.1", scene.world.port), timeout=5))
                connection.sendall(head)
                dripping.append(connection)
        for _ in range(int(seconds)):
            for connection in dripping:
                with suppress(OSError):
                    connection.sendall(b"{")
            time.sleep(1)


def _without_descriptors(scene: Scene, seconds: float) -> None:
    """No process of the service may open any more than it has open."""
    limited = []
    for pid in scene.web.children():
        with suppress(OSError):
            before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (descriptors(pid), before[1]))
            limited.append((pid, before))
    time.sleep(seconds)
    for pid, before in limited:
        with suppress(OSError):
            resource.prlimit(pid, resource.RLIMIT_NOFILE, before)


def descriptors(pid: int) -> int:
    """How many it has open. Raises OSError where it is gone."""
    return len(os.listdir(f"/proc/{pid}/fd"))


def _frozen(scene: Scene, seconds: float) -> None:
    assert scene.server
    pids = scene.server.pids()
    _send(pids, signal.SIGSTOP)
    time.sleep(seconds)
    _send(pids, signal.SIGCONT)


def _database_killed(scene: Scene, _seconds: float) -> None:
    assert scene.server
    scene.server.kill()


def _sessions_killed(scene: Scene, _seconds: float) -> None:
    """Without warning: PostgreSQL then ends all others too, and recovers."""
    assert scene.server
    with suppress(psycopg.Error):
        found = scene.server.execute("SELECT pid FROM pg_stat_activity WHERE datname = 'jawel'")
        _send([int(str(row[0])) for row in found[:3]], signal.SIGKILL)


def _send(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def _connections_used_up(scene: Scene, seconds: float) -> None:
    assert scene.server
    with ExitStack() as taken:
        with suppress(psycopg.OperationalError):
            while True:
                taken.enter_context(psycopg.connect(scene.server.url("jawel")))
        time.sleep(seconds)


def _table_locked(scene: Scene, seconds: float) -> None:
    assert scene.server
    table = scene.chance.choice(("subscriptions", "letters", "consent_events", "mail_budgets"))
    with suppress(psycopg.Error), psycopg.connect(scene.server.url("jawel")) as connection:
        connection.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE".encode())
        time.sleep(seconds)


def _clock_jumped(scene: Scene, seconds: float) -> None:
    """There, and back again."""
    clocks.set_clock(scene.clock, scene.chance.choice(clocks.JUMPS))
    time.sleep(seconds)
    clocks.set_clock(scene.clock, timedelta())


def _database_disk_full(scene: Scene, seconds: float) -> None:
    _fill(scene.disks[0], seconds)


def _log_disk_full(scene: Scene, seconds: float) -> None:
    _fill(scene.disks[1], seconds)


def _fill(disk: Disk, seconds: float) -> None:
    disk.fill()
    time.sleep(seconds)
    disk.free()
