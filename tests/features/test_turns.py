"""A loop that does not turn any more does not beat, though its process runs."""

import asyncio
import threading

from app.cli.lifelines import Turns
from tests.commands import eventually


def test_a_loop_that_hangs_does_not_beat() -> None:
    loop, turns, hung = asyncio.new_event_loop(), Turns(), threading.Event()
    assert turns.go_on()
    turning = threading.Thread(target=loop.run_forever)
    turning.start()
    turns.of(loop)
    for _ in range(3):
        eventually(turns.go_on)
    loop.call_soon_threadsafe(hung.wait)
    eventually(lambda: not turns.go_on())
    assert not turns.go_on()
    hung.set()
    eventually(turns.go_on)
    loop.call_soon_threadsafe(loop.stop)
    turning.join()
    loop.close()
