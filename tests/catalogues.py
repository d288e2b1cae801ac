"""Catalogues that services are opened with: the example, and those that differ from it."""

import tomllib
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

from tests.commands import ROOT

EXAMPLE = (ROOT / "newsletters.example.toml").read_text(encoding="utf-8")
CATALOGUE = tomllib.loads(EXAMPLE)
NEVER = {**CATALOGUE, "newsletter": [{**each, "proof_of_work": "never"} for each in CATALOGUE["newsletter"]]}
Write = Callable[[str, str], Path]


def catalogue(**changes: Any) -> dict[str, Any]:
    """The example with another `weekly`."""
    changed = deepcopy(CATALOGUE)
    changed["newsletter"][0].update(changes)
    return changed


def titled(title: str) -> dict[str, Any]:
    return catalogue(title=dict.fromkeys(CATALOGUE["newsletter"][0]["title"], title))
