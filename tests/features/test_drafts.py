"""What a development machine writes under `instance` is there as a whole or not at all, also on a full disk."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.commands import ROOT, Jawel
from tests.disks import Disk, small_disk
from tests.service import ADA

pytestmark = pytest.mark.parametrize("engine", ["sqlite"])
SIGN_UP = (
    "import config; from app.web.application import create_app; client = create_app(config.load()).test_client();"
    f"sent = {{'email': '{ADA}', 'newsletters': 'weekly', 'consent': True}};"
    "assert client.post('/subscribe', json=sent).status_code == 202"
)


@pytest.fixture
def disk() -> Iterator[Disk]:
    with small_disk(2) as disk:
        yield disk


@pytest.fixture
def development(disk: Disk, database_url: str) -> Jawel:
    """A checkout on `disk`, with its database on another."""
    home = {"JAWEL_ENV": "development", "PUBLIC_URL": "http://127.0.0.1:8000", "DATABASE_URL": database_url}
    return Jawel(home, disk.folder)


def run(jawel: Jawel, *command: str | Path) -> int:
    with jawel.started(*map(str, command)) as process:
        process.communicate()
    return process.returncode


def sign_up(jawel: Jawel) -> None:
    environment = {**os.environ, **jawel.environment, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", SIGN_UP], cwd=jawel.folder, env=environment, check=True)


def test_a_letter_that_finds_no_room_leaves_no_draft(development: Jawel, disk: Disk) -> None:
    assert run(development, "newsletters", "apply", ROOT / "newsletters.example.toml") == 0
    sign_up(development)
    mailbox = disk.folder / "instance/mailbox"
    mailbox.mkdir()
    disk.fill()
    assert run(development, "worker", "--once") == 0
    assert list(mailbox.iterdir()) == []


def test_a_draft_of_a_process_that_was_killed_goes_with_the_next_start(development: Jawel, disk: Disk) -> None:
    mailbox = disk.folder / "instance/mailbox"
    mailbox.mkdir(parents=True)
    names = ".0123456789abcdef", ".fedcba9876543210", ".of-somebody-else"
    old, fresh, foreign = (mailbox / name for name in names)
    an_hour_ago = time.time() - 3600
    for path in (old, fresh, foreign):
        path.write_bytes(b"Subject: a letter in")
    for path in (old, foreign):
        os.utime(path, (an_hour_ago, an_hour_ago))
    assert run(development, "worker", "--once") == 0
    assert set(mailbox.iterdir()) == {fresh, foreign}, "another process may be at the one right now"


def test_secrets_that_find_no_room_leave_no_draft_and_are_made_later(development: Jawel, disk: Disk) -> None:
    disk.fill()
    assert run(development, "keys", "list") != 0
    assert list((disk.folder / "instance").iterdir()) == []
    disk.free()
    assert run(development, "keys", "list") == 0
    assert [path.name for path in (disk.folder / "instance").iterdir()] == ["secrets.json"]
