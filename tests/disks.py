"""Disks that are really full: file systems in memory, of a size that a test can fill."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests import machine


@dataclass(frozen=True, slots=True)
class Disk:
    folder: Path

    def fill(self) -> None:
        """To the last byte."""
        with self._filler.open("ab", buffering=0) as file:
            for size in (1 << 20, 1 << 12, 1):
                try:
                    while True:
                        file.write(bytes(size))
                except OSError:
                    continue

    def free(self) -> None:
        self._filler.unlink()

    @property
    def _filler(self) -> Path:
        return self.folder / "filler"


@contextmanager
def small_disk(megabytes: int) -> Iterator[Disk]:
    """A file system of its own. Where we may not mount one, the test ends here: also under CI, as a container seldom
    may."""
    with mounted(megabytes) as disk:
        if disk is None:
            told = "the tests of full disks, for want of the right to mount one. Remedy: run as root"
            pytest.skip(f"{machine.NOT_RUN}{told}.")
        yield disk


@contextmanager
def mounted(megabytes: int) -> Iterator[Disk | None]:
    """None where we may not mount one."""
    prefix = machine.as_root()
    # Kept short, for the sake of sockets.
    folder = tempfile.mkdtemp(prefix="jawel-disk-", dir="/tmp")
    options = f"size={megabytes}m,mode=1777,uid={os.getuid()}"
    command = ["mount", "-t", "tmpfs", "-o", options, "jawel", folder]
    is_mounted = prefix is not None and subprocess.run([*prefix, *command], check=False).returncode == 0
    try:
        yield Disk(Path(folder)) if is_mounted else None
    finally:
        if is_mounted:
            subprocess.run([*(prefix or []), "umount", "--lazy", folder], check=True)
        Path(folder).rmdir()
