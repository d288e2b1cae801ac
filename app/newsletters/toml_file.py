"""Reads the catalogue file: from TOML to a catalogue, or to every problem with its line."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from app.errors import JawelError
from app.newsletters import data_recipients, parsing
from app.newsletters.definitions import Catalogue
from app.newsletters.fields import Path as KeyPath
from app.newsletters.fields import Problem

ARRAYS = ("newsletter", "processor")
_HEADER = re.compile(r"^\s*(\[{1,2})\s*([\w.\-\"' ]+?)\s*\]{1,2}\s*(?:#.*)?$")
_KEY = re.compile(r"^\s*([\w.\-\"']+)\s*=")


class CatalogueError(JawelError):
    """A file that cannot be used: one line for each problem, with file, line, key and remedy."""


def load(path: Path) -> tuple[Catalogue, dict[str, Any]]:
    """The catalogue, and the tables it was read from, which the database stores. Raises CatalogueError."""
    try:
        text = path.read_text(encoding="utf-8")
        tables = tomllib.loads(text)
    except OSError as error:
        raise CatalogueError(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise CatalogueError(f"{path}: is not UTF-8 text") from None
    except tomllib.TOMLDecodeError as error:
        raise CatalogueError(f"{path}: {error}") from None
    catalogue, problems = parsing.read(tables)
    problems += data_recipients.unknown_countries(catalogue.controller) if catalogue.controller else []
    if problems:
        lines = _lines(text)
        explained = sorted((_line(problem, lines), _explain(problem)) for problem in problems)
        raise CatalogueError("\n".join(f"{path}:{line}: {text}" for line, text in explained))
    return catalogue, tables


def _explain(problem: Problem) -> str:
    name = ".".join(part for part in problem.path if isinstance(part, str))
    return f"{name} {problem.remedy}"


def _line(problem: Problem, lines: dict[KeyPath, int]) -> int:
    """Line of the key, or of the nearest enclosing table if the key itself is missing."""
    nearest = problem.path
    while nearest and nearest not in lines:
        nearest = nearest[:-1]
    return lines.get(nearest, 1)


def _lines(text: str) -> dict[KeyPath, int]:
    """Line of each table and key. `tomllib` does not report it, and the operator needs it."""
    found: dict[KeyPath, int] = {}
    for number, path in _keys(text):
        found.setdefault(path, number)
    return found


def _keys(text: str) -> Iterator[tuple[int, KeyPath]]:
    section: KeyPath = ()
    last = dict.fromkeys(ARRAYS, -1)
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.match(line):
            names = tuple(part.strip("\"' ") for part in header[2].split("."))
            array = names[0]
            if header[1] == "[[" and names == (array,) and array in last:
                last[array] += 1
            section = (array, last[array], *names[1:]) if array in last else names
            yield number, section
        elif key := _KEY.match(line):
            yield number, (*section, *(part.strip("\"'") for part in key[1].split(".")))
