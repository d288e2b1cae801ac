"""A machine with its hands full: people who sign up as fast as they are answered, and other work for the CPU.

In processes of their own, so that whoever measures meanwhile shares no interpreter with them.
"""

import multiprocessing
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count

from benchmarks import load, questions

CONNECTIONS = 12
STARTS_WITHIN_SECONDS = 2


@contextmanager
def machine(port: int, at_most: float) -> Iterator[None]:
    """For the block, and no longer than `at_most` seconds."""
    work: list[tuple[Callable[..., None], tuple[float, ...]]] = [(_sign_up, (port, at_most))]
    work += [(_burn, (at_most,)) for _ in range(os.cpu_count() or 1)]
    # Forked ones would hold the databases that are open here.
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=target, args=arguments, daemon=True) for target, arguments in work]
    for process in processes:
        process.start()
    try:
        time.sleep(STARTS_WITHIN_SECONDS)
        yield
    finally:
        for process in processes:
            process.terminate()
            process.join()


def _sign_up(port: int, seconds: float) -> None:
    started = int(time.time())
    people = (questions.signup(f"busy{started}-{number}@example.org", network=100) for number in count())
    load.saturate(port, people, seconds, CONNECTIONS)


def _burn(seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        pass
