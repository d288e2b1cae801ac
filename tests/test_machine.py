"""What `make test` installs is named where people read about it, and what does not start is missing."""

import pytest

from tests import machine
from tests.commands import ROOT

PROGRAMS = [each for each in vars(machine).values() if isinstance(each, machine.Program)]


@pytest.mark.parametrize("program", PROGRAMS, ids=[each.package for each in PROGRAMS])
def test_the_readme_names_what_the_tests_install(program: machine.Program) -> None:
    assert f"`{program.package}`" in (ROOT / "README.md").read_text()


def test_a_driver_of_browsers_that_misses_a_library_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLAYWRIGHT_NODEJS_PATH", "/bin/false")
    assert machine.find_playwright() is None
