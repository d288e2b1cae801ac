"""An environment file as sh, systemd and docker read it: the same settings, or a word that tells they are not."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import config
from tests.commands import ROOT, VARIABLES

EXAMPLE = ROOT / ".env.example"
URL = "postgresql://jawel@db.example.org/jawel?connect_timeout=3&application_name=web"
Reader = Callable[[Path], dict[str, str]]


def by_sh(path: Path) -> dict[str, str]:
    """`set -a; . ./jawel.env`, with nothing in the environment before."""
    script = 'set -a; . "$1"; exec env -0'
    output = subprocess.run(["/bin/sh", "-c", script, "sh", path], env={}, capture_output=True, check=True).stdout
    pairs = dict(entry.split("=", 1) for entry in output.decode().split("\0") if entry)
    return {name: value for name, value in pairs.items() if name not in {"PWD", "_", "OLDPWD", "SHLVL"}}


def by_docker(path: Path) -> dict[str, str]:
    """docker run --env-file: a line that begins with # is a comment; what follows the first = is the value as it is."""
    found = {}
    for line in path.read_text().splitlines():
        if line.strip() and not line.lstrip().startswith("#"):
            name, equals, value = line.lstrip().partition("=")
            assert re.fullmatch(r"\S+", name), "docker refuses a name with white space"
            if equals:
                found[name] = value
    return found


def by_systemd(path: Path) -> dict[str, str]:
    """EnvironmentFile= (systemd.exec): comments begin with # or ;, a backslash at a line's end joins the next line,
    white space around an unquoted value goes, quotes group, and a backslash takes the next character as it is (within
    double quotes only one of " \\ ` $)."""
    found = {}
    for line in path.read_text().replace("\\\n", "").splitlines():
        if line.strip() and line.lstrip()[0] not in "#;":
            name, _, value = line.strip().partition("=")
            found[name.strip()] = "".join(map(unquoted, PIECES.findall(value.strip())))
    return found


PIECES = re.compile(r"""'[^']*'|"(?:\\.|[^"\\])*"|\\.|[^'"\\]+""")


def unquoted(piece: str) -> str:
    if piece[0] == "'":
        return piece[1:-1]
    if piece[0] == '"':
        return re.sub(r'\\(["\\`$])', r"\1", piece[1:-1])
    return piece[1:] if piece[0] == "\\" else piece


READERS = {"sh": by_sh, "systemd": by_systemd, "docker": by_docker}


@pytest.fixture
def filled_in(tmp_path: Path) -> Path:
    """As the README says: the example without its empty secrets, and behind it what `jawel secrets` prints."""
    kept = [line for line in EXAMPLE.read_text().splitlines() if not re.match(r"\w*(SECRET_KEYS|_KEY)=$", line)]
    made = [f"{name}={value}" for name, value in config.fresh_secrets().items()]
    path = tmp_path / "jawel.env"
    path.write_text("\n".join([*kept, *made, ""]))
    return path


def test_the_example_is_read_alike_by_all_and_is_all_that_it_takes(
    filled_in: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = by_sh(filled_in)
    assert read == by_systemd(filled_in) == by_docker(filled_in)
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(f"{name}_FILE", raising=False)
    for name, value in read.items():
        monkeypatch.setenv(name, value)
    settings = config.load(filled_in.parent / "instance")
    assert settings.trusted_proxies == 1
    assert settings.database_url == "postgresql://jawel@localhost/jawel"
    assert not settings.instance.exists()


def test_no_fresh_secret_needs_quotes(tmp_path: Path) -> None:
    path = tmp_path / "jawel.env"
    for _ in range(20):
        path.write_text("".join(f"{name}={value}\n" for name, value in config.fresh_secrets().items()))
        assert by_sh(path) == by_systemd(path) == by_docker(path)


def test_a_line_that_a_shell_cuts_short_starts_nothing_and_makes_no_file(filled_in: Path) -> None:
    """Behind an unquoted `&` a shell takes the assignment for a job in the background: the variable is not set."""
    filled_in.write_text(filled_in.read_text().replace("postgresql://jawel@localhost/jawel", URL))
    inherited = {name: value for name, value in os.environ.items() if name.removesuffix("_FILE") not in VARIABLES}
    result = subprocess.run(
        ["/bin/sh", "-c", f'set -a; . ./jawel.env; exec "{sys.executable}" -m app doctor'],
        cwd=filled_in.parent,
        env=inherited,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1
    assert "DATABASE_URL: is not set" in result.stderr
    assert "ok" not in result.stdout
    assert [path.name for path in filled_in.parent.iterdir()] == ["jawel.env"]


def test_what_the_manual_says_of_quotes_is_so_for_each_reader(tmp_path: Path) -> None:
    """Its table has a line for each of them; only that for a file of its own suits all."""
    page = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
    table = dict(re.findall(r"^\| (sh|systemd|docker)\b[^|]*\| `(DATABASE_URL=[^`]+)` \|", page, re.MULTILINE))
    assert sorted(table) == sorted(READERS)
    path = tmp_path / "jawel.env"
    for reader, line in table.items():
        path.write_text(f"{line}\n")
        assert READERS[reader](path) == {"DATABASE_URL": URL}, reader
    (everywhere,) = re.findall(r"`(DATABASE_URL_FILE=[^`]+)`", page)
    path.write_text(f"{everywhere}\n")
    assert by_sh(path) == by_systemd(path) == by_docker(path)
