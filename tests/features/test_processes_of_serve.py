"""What becomes of the processes of `jawel serve` when one of them is stopped, killed, or sent what is for nobody."""

import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.commands import PATIENCE_SECONDS, ROOT, Jawel, Running, answers, eventually, serving
from tests.service import ADA

pytestmark = pytest.mark.parametrize("engine", ["sqlite"])
LONGER_THAN_THE_WATCHDOG_WAITS = 13


@pytest.fixture
def running(jawel: Jawel) -> Iterator[Running]:
    assert jawel("newsletters", "apply", ROOT / "newsletters.example.toml").exit_code == 0
    with serving(jawel, "--processes", "2") as running:
        eventually(lambda: len(processes(running)) == 4)
        yield running


def processes(running: Running) -> dict[int, str]:
    """Those that were started with it and live, each with its command: `serve`, or `worker`."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if os.getsid(int(folder.name)) == running.process.pid:
                words = (folder / "cmdline").read_text().split("\0")
                found[int(folder.name)] = next(word for word in words if word in {"serve", "worker"})
        except (OSError, StopIteration):
            continue
    return found


def started(running: Running, command: str) -> list[int]:
    return sorted(pid for pid, of in processes(running).items() if of == command and pid != running.process.pid)


def is_free(port: int) -> bool:
    with suppress(OSError), socket.create_server(("127.0.0.1", port)):
        return True
    return False


def said(running: Running) -> str:
    running.process.send_signal(signal.SIGTERM)
    printed: str = running.process.communicate(timeout=PATIENCE_SECONDS)[0]
    assert running.process.returncode == 0
    return printed


def test_signals_that_are_for_nobody_end_nothing(running: Running) -> None:
    before = processes(running)
    for pid in before:
        for nobodys in (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
            os.kill(pid, nobodys)
    time.sleep(0.5)
    assert answers(running)
    assert processes(running) == before
    assert "process.replaced" not in said(running)


def test_what_serve_started_ends_with_it_however_it_goes(running: Running) -> None:
    running.process.kill()
    running.process.wait(PATIENCE_SECONDS)
    eventually(lambda: processes(running) == {})
    eventually(lambda: is_free(running.port))


def test_a_second_serve_finds_the_port_taken_and_is_told_what_to_do(running: Running, jawel: Jawel) -> None:
    second = jawel("serve", "--port", str(running.port), "--no-worker")
    assert second.exit_code == 1
    assert second.output == (
        f"Error: Cannot listen on 127.0.0.1:{running.port}: Address already in use; stop what has the port, or see "
        "--port, or --share-port where a `jawel serve` has it that is to stop.\n"
    )
    assert answers(running)


@pytest.mark.parametrize("command", ["serve", "worker"])
def test_a_process_that_is_stopped_is_replaced(running: Running, command: str) -> None:
    before = started(running, command)
    # One that has not beaten yet is given longer. The thread that beats is the first; those that work come after.
    eventually(lambda: len(os.listdir(f"/proc/{before[0]}/task")) > 4)
    os.kill(before[0], signal.SIGSTOP)
    eventually(lambda: before[0] not in processes(running))
    eventually(lambda: len(started(running, command)) == len(before))
    assert set(before[1:]) < set(started(running, command))
    signup = {"email": ADA, "newsletters": "weekly", "consent": True}
    assert [running.post("/subscribe", signup) for _ in range(8)] == [202] * 8
    kind = {"serve": "web", "worker": "worker"}[command]
    (line,) = [line for line in said(running).splitlines() if "process.replaced" in line]
    assert f'"kind": "{kind}", "reason": "silent"' in line


def test_nobody_is_replaced_because_all_were_stopped_together(running: Running) -> None:
    before = processes(running)
    for told in (signal.SIGSTOP, signal.SIGCONT):
        os.killpg(running.process.pid, told)
        time.sleep(LONGER_THAN_THE_WATCHDOG_WAITS)
    assert answers(running)
    assert processes(running) == before
    assert "process.replaced" not in said(running)


@pytest.mark.parametrize("command", ["serve", "worker"])
def test_a_process_that_is_killed_is_replaced_and_the_log_says_so(running: Running, command: str) -> None:
    before = started(running, command)
    os.kill(before[0], signal.SIGKILL)
    eventually(lambda: len(set(started(running, command)) - {before[0]}) == len(before))
    assert '"reason": "ended"' in said(running)
