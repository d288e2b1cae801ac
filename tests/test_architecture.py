"""What holds for the repository as a whole: its shape, and pages that leave nothing out."""

import ast
import re
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from app.cli import main
from app.database import Base, locks
from tests.commands import ROOT, VARIABLES
from tests.markdown import tables

LONGEST_FILE = 260
LONGEST_TEST_FILE = 300
ONE_FILE_FOR_STRANGERS = "app/ledger/verifier.py"
"""Whoever is to trust nothing but what they read gets all of the verifier in one file."""


def test_dependencies_run_one_way() -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    result = subprocess.run([linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout


def test_every_setting_is_in_the_example_and_on_its_page() -> None:
    read = set(re.findall(r'"([A-Z][A-Z_]{3,})"', (ROOT / "config.py").read_text(encoding="utf-8")))
    assert read == set(VARIABLES)
    assert not_on("docs/settings.md", read) == []


def test_every_key_of_the_catalogue_is_on_its_page() -> None:
    source = (ROOT / "app/newsletters/parsing.py").read_text(encoding="utf-8")
    keys = set(re.findall(r'(?:\.take\(|_(?:words|by_language)\(parser, )"(\w+)"', source))
    assert {"controller", "newsletter", "slug", "consent", "reply_to", "recipients"} <= keys
    assert not_on("docs/catalogue.md", keys) == []


def test_every_command_and_option_is_on_its_page() -> None:
    assert not_on("docs/commands.md", set(commands(main, "jawel"))) == []


def commands(command: click.Command, name: str) -> Iterator[str]:
    if isinstance(command, click.Group):
        context = click.Context(command)
        for child in command.list_commands(context):
            found = command.get_command(context, child)
            assert found
            yield from commands(found, f"{name} {child}")
    else:
        yield name
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                yield parameter.opts[0]


def test_every_dependency_has_its_line_of_justification() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    groups = (
        project["project"]["dependencies"],
        *project["project"]["optional-dependencies"].values(),
        *project["dependency-groups"].values(),
    )
    names = {re.split(r"[\[<>=~! ]", requirement)[0] for group in groups for requirement in group}
    assert not_on("docs/dependencies.md", names) == []


def not_on(page: str, names: set[str]) -> list[str]:
    """Those that the page does not set in code type, alone or with more around them."""
    text = (ROOT / page).read_text(encoding="utf-8")
    code = [*re.findall(r"```.*?```", text, re.DOTALL), *re.findall(r"`[^`\n]+`", text)]
    return sorted(
        name for name in names if not any(re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", each) for each in code)
    )


@pytest.mark.parametrize("page", ["docs/threats.md", "docs/threat-model.md", "docs/privacy.md"])
def test_every_threat_and_every_article_names_the_test_that_holds_what_meets_it(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    met = [row for header, *rows in tables(text) if header[0] in HELD_BY_TESTS for row in rows]
    assert len(met) > 15
    for what, *_, tests in met:
        cited = re.findall(r"`([^`]+)`", tests)
        assert cited, what
        assert [each for each in cited if not is_a_test(each)] == [], what


HELD_BY_TESTS = ("who, and what they do", "what happens", "article")


def is_a_test(cited: str) -> bool:
    """`path::test_name`, also of one set of parameters: `path::test_name[set]`."""
    found = re.fullmatch(r"(tests/[\w/]+\.py)::(test_\w+)(?:\[(.+)\])?", cited)
    if not found or not (ROOT / found[1]).is_file():
        return False
    source = (ROOT / found[1]).read_text(encoding="utf-8")
    tests = {each.name: each for each in ast.parse(source).body if isinstance(each, ast.FunctionDef)}
    test = tests.get(found[2])
    return test is not None and (not found[3] or "parametrize" in "".join(map(ast.unparse, test.decorator_list)))


@pytest.mark.parametrize(
    "cited",
    [
        "tests/test_architecture.py",
        "tests/test_architecture.py::is_a_test",
        "tests/test_architecture.py::test_that_is_not_there",
        "tests/test_that_is_not_there.py::test_dependencies_run_one_way",
        "tests/test_architecture.py::test_dependencies_run_one_way[sqlite]",
    ],
)
def test_what_names_no_test_is_found(cited: str) -> None:
    assert not is_a_test(cited)


def test_every_decision_says_why_and_at_what_price() -> None:
    records = sorted((ROOT / "docs/decisions").glob("[0-9]*.md"))
    assert records
    for record in records:
        headings = re.findall(r"^(?:##? )?(\w+)(?:$|: accepted)", record.read_text(encoding="utf-8"), re.MULTILINE)
        assert {"Status", "Context", "Decision", "Consequences"} <= set(headings), record.name


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_a_lock_file_fits_any_registry(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    assert re.findall(r"\w+://\S+|^-.*", text, re.MULTILINE) == []
    assert len(re.findall(r"--hash=sha256:[0-9a-f]{64}", text)) > 20


def test_no_file_grows_beyond_what_one_reads_in_a_sitting() -> None:
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in (ROOT / "app").rglob("*.py")}
    assert [str(path.relative_to(ROOT)) for path, length in lengths.items() if length > LONGEST_FILE] == [
        ONE_FILE_FOR_STRANGERS
    ]


def test_no_test_file_grows_beyond_one_subject() -> None:
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in (ROOT / "tests").rglob("test_*.py")}
    assert [str(path.relative_to(ROOT)) for path, length in lengths.items() if length > LONGEST_TEST_FILE] == []


def test_no_test_file_is_imported_by_another_file() -> None:
    """Else a test could not move without those that lean on its file: what several need has a module of its own."""
    paths = [path for folder in ("tests", "trials", "benchmarks") for path in (ROOT / folder).rglob("*.py")]
    imported = {str(path.relative_to(ROOT)): imports(path) for path in paths}
    assert "tests.service" in imported["tests/test_routes.py"]
    found = [(path, name) for path, names in imported.items() for name in names if re.search(r"(^|\.)test_", name)]
    assert found == []


def imports(path: Path) -> set[str]:
    """Modules that a file imports, and what it takes from them."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {each.name for each in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {node.module or "", *(f"{node.module or ''}.{each.name}" for each in node.names)}
    return found


def test_whoever_waits_for_rows_cites_the_one_order_in_which_they_are_locked() -> None:
    sources = {path: path.read_text(encoding="utf-8") for path in (ROOT / "app").rglob("*.py")}
    waiting = {path for path, source in sources.items() if re.search(r"with_for_update\((?!skip_locked)", source)}
    assert len(waiting) > 5
    assert [str(path.relative_to(ROOT)) for path in waiting if "`database.locks`" not in sources[path]] == []


def test_the_lock_order_names_tables_that_there_are() -> None:
    assert [table for table, _rows in locks.ORDER if table not in Base.metadata.tables] == []


def test_an_advisory_lock_is_taken_by_its_name() -> None:
    for path in (ROOT / "app").rglob("*.py"):
        source = path.read_text(encoding="utf-8")
        assert "advisory" not in source.lower() or "AdvisoryLock" in source, path


def test_no_two_classes_have_the_same_name() -> None:
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in (ROOT / "app").rglob("*.py")]
    names = [node.name for tree in trees for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    assert [name for name, count in Counter(names).items() if count > 1] == []


def test_only_the_doctor_waits_for_what_it_alone_needs() -> None:
    """They take as long to load as a tenth of the rest: 0.1 s at each start of a process."""
    script = "import sys, app, app.cli, app.worker.mail_loop; print({'dns', 'publicsuffixlist'} & {*sys.modules})"
    found = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert found.stdout == "set()\n"
