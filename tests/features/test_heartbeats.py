"""A loop that does not turn any more does not beat, though its process runs."""

import asyncio
import threading

from app.cli.heartbeats import LoopHeartbeat
from tests.commands import eventually


def test_a_loop_that_hangs_does_not_beat() -> None:
    loop, heartbeat, hung = asyncio.new_event_loop(), LoopHeartbeat(), threading.Event()
    assert heartbeat.go_on()
    turning = threading.Thread(target=loop.run_forever)
    turning.start()
    heartbeat.of(loop)
    for _ in range(3):
        eventually(heartbeat.go_on)
    loop.call_soon_threadsafe(hung.wait)
    eventually(lambda: not heartbeat.go_on())
    assert not heartbeat.go_on()
    hung.set()
    eventually(heartbeat.go_on)
    loop.call_soon_threadsafe(loop.stop)
    turning.join()
    loop.close()
