"""Sealers killed wherever they happen to be: the log goes on as if they had never been."""

import subprocess
import sys
import threading
from collections.abc import Callable

import pytest

from app.ledger import proofs
from app.ledger.log import newest_checkpoint
from app.ledger.verifier import Checkpoint, check_consistency, open_note
from app.resources import resources_of
from tests.commands import ROOT
from tests.log import audited, check_everything, keys_of, log_of, newest, seal, write_events
from tests.service import Service

SEALERS = 50

pytestmark = pytest.mark.parametrize("engine", ["postgresql"])


def test_sealers_killed_under_load_leave_no_gap_and_no_second_history(
    service: Service, record_property: Callable[[str, object], None]
) -> None:
    stop, seen = threading.Event(), set[str]()
    beside = [
        threading.Thread(target=until, args=(stop, lambda: write_events(service.database, 20))),
        threading.Thread(target=until, args=(stop, lambda: look(service, seen))),
    ]
    for each in beside:
        each.start()
    try:
        amid = kill(resources_of(service.app).settings.database_url)
    finally:
        stop.set()
        for each in beside:
            each.join()
    sealed = service.counts()["log_entries"]
    while seal(service.database, log_of(service)):
        pass
    written = service.counts()["consent_events"]
    record_property(
        "counted",
        f"{SEALERS} sealers killed, {amid} of them amid sealing; {sealed:,} of {written:,} events were sealed by then",
    )
    assert amid
    assert sealed
    assert check_everything(service, keys_of(service)) == [*range(written)]
    assert audited(service) == []
    assert_one_history(service, seen)


def until(stop: threading.Event, act: Callable[[], object]) -> None:
    while not stop.is_set():
        act()
        stop.wait(0.005)


def look(service: Service, seen: set[str]) -> None:
    """As a stranger who keeps every checkpoint that was ever published."""
    with service.database.read_only() as connection:
        found = newest_checkpoint(connection)
    if found:
        seen.add(found.note)


def kill(url: str) -> int:
    program = [sys.executable, "-m", "tests.sealers", url, str(SEALERS)]
    return int(subprocess.run(program, cwd=ROOT, capture_output=True, text=True, check=True).stdout)


def assert_one_history(service: Service, seen: set[str]) -> None:
    last = Checkpoint.parse(open_note(newest(service), keys_of(service)))
    assert len(seen) > 1
    with service.database.read_only() as connection:
        for note in seen:
            earlier = Checkpoint.parse(open_note(note, keys_of(service)))
            check_consistency(earlier, last, proofs.consistency(connection, earlier.size, last.size))
