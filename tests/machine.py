"""Programs that the suite drives and pip cannot bring: a PostgreSQL server, a browser, OpenSSL, a mail server, a reader
of logs in Go.

And the library that pip's own browser driver needs beside it.

What is missing is installed where we may. Where we may not, its tests are skipped and the summary says so in one line;
under CI=true that is a failure, because a green run must mean that everything ran.
"""

import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NoReturn

import pytest
from playwright._impl._driver import compute_driver_executable

NOT_RUN = "NOT RUN: "


@dataclass(frozen=True, slots=True)
class Program:
    name: str
    package: str
    """Debian's."""
    find: Callable[[], Path | None]


def find_postgresql() -> Path | None:
    """The folder of the newest server's programs. Debian keeps them off the PATH."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: int(folder.parent.name))
    found = [folder for folder in folders if (folder / "initdb").exists()]
    on_path = shutil.which("initdb")
    return found[-1] if found else Path(on_path).resolve().parent if on_path else None


def find_chromium() -> Path | None:
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    return Path(found) if found else None


def find_playwright() -> Path | None:
    """Playwright brings a Node.js of its own, which ends at once where its loader misses a library."""
    node = Path(compute_driver_executable()[0])
    asked = subprocess.run([node, "--version"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    return node if asked.returncode == 0 else None


def find_openssl() -> Path | None:
    found = shutil.which("openssl")
    return Path(found) if found else None


def find_postfix() -> Path | None:
    found = shutil.which("postfix") or shutil.which("postfix", path="/usr/sbin")
    return Path(found) if found else None


def find_go() -> Path | None:
    found = shutil.which("go") or shutil.which("go", path="/usr/local/go/bin")
    return Path(found) if found else None


def find_go_mod() -> Path | None:
    """A GOPATH that holds golang.org/x/mod: Debian's."""
    path = Path("/usr/share/gocode")
    return path if (path / "src/golang.org/x/mod/sumdb/tlog").is_dir() else None


POSTGRESQL = Program("PostgreSQL", "postgresql", find_postgresql)
CHROMIUM = Program("browser", "chromium", find_chromium)
PLAYWRIGHT = Program("browser", "libatomic1", find_playwright)
OPENSSL = Program("time-stamping", "openssl", find_openssl)
GO = Program("Go", "golang-go", find_go)
POSTFIX = Program("Postfix", "postfix", find_postfix)
GO_MOD = Program("Go", "golang-golang-x-mod-dev", find_go_mod)


def require(program: Program) -> Path:
    """Where the program is; else the test ends here."""
    found = find_or_install(program)
    if found is None:
        remedy = f"`apt-get install {program.package}`, or run as root to have that done"
        leave_out(f"the {program.name} tests, for want of the program. Remedy: {remedy}")
    return found


def leave_out(what_and_why: str) -> NoReturn:
    """The test ends here: as skipped, in a line of the summary; under CI as failed."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{NOT_RUN}{what_and_why}.", pytrace=False)
    pytest.skip(f"{NOT_RUN}{what_and_why}.")


@cache
def find_or_install(program: Program) -> Path | None:
    """None where it is missing and we may not install it."""
    with (Path(tempfile.gettempdir()) / f"jawel-tests-{os.getuid()}.lock").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        return program.find() or _install(program)


def _install(program: Program) -> Path | None:
    prefix = as_root()
    if prefix is None or not shutil.which("apt-get"):
        return None
    for arguments in (["update"], ["install", "--yes", "--no-install-recommends", program.package]):
        subprocess.run(
            [*prefix, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            check=False,
        )
    return program.find()


def as_root() -> list[str] | None:
    if os.geteuid() == 0:
        return []
    sudo = shutil.which("sudo")
    may = sudo and subprocess.run([sudo, "-n", "true"], stderr=subprocess.DEVNULL, check=False).returncode == 0
    return [sudo, "-n"] if sudo and may else None
