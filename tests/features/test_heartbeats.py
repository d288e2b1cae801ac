"""A loop that does not turn any more does not beat, though its process runs. And programs are started that beat."""

import asyncio
import os
import signal
import subprocess
import sys
import threading

from app.cli.heartbeats import LoopHeartbeat
from tests.commands import PATIENCE_SECONDS, ROOT, eventually

FORKS_WHILE_IT_STARTS_PROGRAMS = """
import os, threading, time
from app.cli import heartbeats

def start_some():
    for _ in range(100):
        heartbeats.start(["true"], heartbeats.Heartbeat()).wait()

starting = threading.Thread(target=start_some, daemon=True)
starting.start()
while starting.is_alive():
    if not os.fork():
        time.sleep(3600)
    time.sleep(0.01)
"""


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


def test_a_program_is_started_while_processes_are_forked_that_live_on() -> None:
    forking = subprocess.Popen([sys.executable, "-c", FORKS_WHILE_IT_STARTS_PROGRAMS], cwd=ROOT, start_new_session=True)
    try:
        assert forking.wait(PATIENCE_SECONDS) == 0
    finally:
        os.killpg(forking.pid, signal.SIGKILL)
