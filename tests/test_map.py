"""The map for newcomers, CONTRIBUTING.md and the table of articles against the tree: what they name exists."""

import ast
import re
import tomllib
from collections.abc import Iterator

import pytest

from app.database import locks
from tests.commands import ROOT

MAP, GUIDE, LAW = "docs/architecture.md", "CONTRIBUTING.md", "docs/privacy.md"
PATH = r"(?:(?:app|benchmarks|docs|migrations|tests|trials)/[\w./-]*|\w+\.py)"


def read(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def code(page: str) -> list[str]:
    """What the page sets in code type, lines of blocks among it."""
    text = read(page)
    lines = [line for block in re.findall(r"```\w*\n(.*?)```", text, re.DOTALL) for line in block.splitlines()]
    return lines + re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))


def test_the_map_names_every_package_and_top_level_module() -> None:
    packages = {path.parent for path in (ROOT / "app").rglob("*.py")} - {ROOT / "app"}
    # A folder that was moved away leaves its compiled modules behind.
    files = [path for path in (ROOT / "app").rglob("*") if path.is_file() and path.suffix != ".pyc"]
    folders = {ROOT / "app" / path.relative_to(ROOT / "app").parts[0] for path in files if path.parent != ROOT / "app"}
    modules = {str(path.relative_to(ROOT)) for path in (ROOT / "app").glob("*.py")}
    names = modules | {f"{path.relative_to(ROOT)}/" for path in packages | folders}
    assert sorted(names - set(re.findall(r"^\| `([^`]+)` \|", read(MAP), re.MULTILINE))) == []


def test_the_picture_of_the_layers_is_what_import_linter_holds() -> None:
    contracts = tomllib.loads(read("pyproject.toml"))["tool"]["importlinter"]["contracts"]
    (layers,) = [each["layers"] for each in contracts if each.get("containers") == ["app"]]
    assert [each.strip() for each in re.findall(r"^ [\w ]+\| (.*)\|$", read(MAP), re.MULTILINE)] == layers


@pytest.mark.parametrize("page", [MAP, GUIDE, LAW])
def test_every_path_that_is_named_exists(page: str) -> None:
    paths = {path.rstrip(".") for each in code(page) for path in re.findall(rf"(?<![\w./-]){PATH}", each)}
    assert len(paths) > 10
    assert sorted(path for path in paths if not (ROOT / path).exists()) == []


@pytest.mark.parametrize("page", [MAP, GUIDE, LAW])
def test_every_function_that_is_named_exists(page: str) -> None:
    """In the notation `path.py::name`, or `path.py::Class.name`."""
    named = [found for each in code(page) for found in re.findall(r"([\w./]+\.py)::([\w.]+)", each)]
    assert named
    there = {path: set(defined(ast.parse(read(path)))) for path, _name in named}
    assert [f"{path}::{name}" for path, name in named if name not in there[path]] == []


def defined(within: ast.Module | ast.ClassDef, prefix: str = "") -> Iterator[str]:
    for node in within.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield prefix + node.name
        if isinstance(node, ast.ClassDef):
            yield from defined(node, f"{prefix}{node.name}.")
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        yield from (prefix + each.id for each in targets if isinstance(each, ast.Name))


def test_the_lock_order_on_the_map_is_the_one_that_is_kept() -> None:
    assert " → ".join(table for table, _rows in locks.ORDER) in read(MAP)


@pytest.mark.parametrize("page", [MAP, GUIDE])
def test_every_make_target_that_is_named_is_in_the_makefile(page: str) -> None:
    targets = set(re.findall(r"^([\w-]+):", read("Makefile"), re.MULTILINE))
    named = {target for each in code(page) for target in re.findall(r"\bmake ([\w-]+)", each)}
    assert named
    assert sorted(named - targets) == []
