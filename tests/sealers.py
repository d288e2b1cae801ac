"""A program that starts sealers and kills each in the midst of things: `python -m tests.sealers URL NUMBER`.

A process of its own, without threads, so that it may fork: it imports the service once for all of them.
"""

import itertools
import os
import random
import select
import signal
import sys
import time
from contextlib import suppress
from dataclasses import dataclass

from app import database as databases
from app import event_macs
from app.ledger.log import Log
from tests.log import seal

AT_ONCE = 3
LONGEST_LIFE_SECONDS = 0.06
SECRET_KEY = "a secret key for tests that is of some length"
"""That of `settings`."""
BEGUN, DONE = b"(", b")"


@dataclass(frozen=True, slots=True)
class Sealer:
    pid: int
    diary: int
    """A pipe: a letter when it begins to seal, another when it is done."""

    def kill(self) -> bool:
        """True where it was in the midst of sealing."""
        select.select([self.diary], [], [])
        time.sleep(random.uniform(0, LONGEST_LIFE_SECONDS))  # noqa: S311 - chance, no secret
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        read = b"".join(iter(lambda: os.read(self.diary, 65536), b""))
        os.close(self.diary)
        return read.endswith(BEGUN)


def start(url: str) -> Sealer:
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        with suppress(BaseException):
            live(url, writing)
        os._exit(1)
    os.close(writing)
    return Sealer(pid, reading)


def live(url: str, diary: int) -> None:
    database, log = databases.connect(url), Log.of("subscribe.example.org", [bytes(range(32))])
    event_macs.attach_keys(database, [SECRET_KEY])
    seal(database, log)  # The first takes long, for all that is set up on the way.
    for size in itertools.cycle((1, 20, 300)):
        os.write(diary, BEGUN)
        seal(database, log, at_most=size)
        os.write(diary, DONE)


def main(url: str, number: int) -> None:
    living = [start(url) for _ in range(AT_ONCE)]
    amid = 0
    for _ in range(number - AT_ONCE):
        amid += living.pop(0).kill()
        living.append(start(url))
    print(amid + sum(each.kill() for each in living))  # noqa: T201 - it is asked for


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
