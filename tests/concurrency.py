"""Things that happen at the same instant: acts that are let go together, and locks that are held and waited for."""

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import psycopg

from app.resources import resources_of
from tests.commands import PATIENCE_SECONDS
from tests.service import Service


def at_once(acts: Sequence[Callable[[], Any]]) -> list[Any]:
    """Each in a thread of its own, all let go together; what they returned, in the order given."""
    gate = threading.Barrier(len(acts))

    def passing(act: Callable[[], Any]) -> Any:
        gate.wait()
        return act()

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(passing, acts))


def in_a_loop(acts: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """In a thread of its own: the browser's loop stays in the one that first asked for a browser."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(lambda: asyncio.run(asyncio.wait_for(acts(), PATIENCE_SECONDS))).result()


def await_lock(service: Service, waiting: int = 1) -> None:
    deadline = time.monotonic() + 60
    while len(service.rows("SELECT 1 FROM pg_locks WHERE NOT granted")) < waiting:
        assert time.monotonic() < deadline, "nobody waits for anybody"
        time.sleep(0.01)


@contextmanager
def holding(service: Service, statement: str) -> Iterator[None]:
    """Somebody else has what the statement locks."""
    with psycopg.connect(resources_of(service.app).settings.database_url) as connection:
        assert connection.execute(statement.encode()).fetchall()
        yield
