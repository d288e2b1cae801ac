"""Catalogues that services are opened with: the example, and those that differ from it."""

import tomllib
from copy import deepcopy
from pathlib import Path
from typing import Any

CATALOGUE = tomllib.loads((Path(__file__).parents[1] / "newsletters.example.toml").read_text())
NEVER = {**CATALOGUE, "newsletter": [{**each, "proof_of_work": "never"} for each in CATALOGUE["newsletter"]]}


def catalogue(**changes: Any) -> dict[str, Any]:
    """The example with another `weekly`."""
    changed = deepcopy(CATALOGUE)
    changed["newsletter"][0].update(changes)
    return changed


def titled(title: str) -> dict[str, Any]:
    return catalogue(title=dict.fromkeys(CATALOGUE["newsletter"][0]["title"], title))
