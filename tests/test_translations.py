"""Four languages, all complete: what is gathered is what is said, and what is compiled is what was translated."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from babel.messages import Catalog, Message
from babel.messages.mofile import read_mo
from babel.messages.pofile import read_po

from app.newsletters.definitions import LANGUAGES
from app.web.language import FALLBACK
from tests.commands import ROOT

FOLDER = ROOT / "app/translations"
OTHERS = [language for language in LANGUAGES if language != FALLBACK]


def read(path: Path) -> Catalog:
    with path.open("rb") as file:
        return read_mo(file) if path.suffix == ".mo" else read_po(file)


def texts(message: Message) -> list[str]:
    return [message.string] if isinstance(message.string, str) else list(message.string or ())


def originals(message: Message) -> list[str]:
    return [message.id] if isinstance(message.id, str) else list(message.id)


def placeholders(text: str) -> set[str]:
    return set(re.findall(r"%\(\w+\)s", text))


def test_all_that_is_said_is_gathered(tmp_path: Path) -> None:
    """`make messages` gathers it."""
    gathered = tmp_path / "gathered.pot"
    pybabel = Path(sys.executable).with_name("pybabel")
    subprocess.run([pybabel, "-q", "extract", "-F", "pyproject.toml", "-o", gathered, "."], cwd=ROOT, check=True)
    assert {each.id for each in read(gathered)} == {each.id for each in read(FOLDER / "messages.pot")}


@pytest.mark.parametrize("language", OTHERS)
def test_nothing_is_missing_unsure_or_left_over(language: str) -> None:
    """Where it fails, `make messages` has left what is to be translated empty."""
    translated = read(FOLDER / language / "LC_MESSAGES/messages.po")
    assert {each.id for each in translated} == {each.id for each in read(FOLDER / "messages.pot")}
    assert [each.id for each in translated if each.id and (each.fuzzy or not all(texts(each)))] == []
    assert not translated.obsolete


@pytest.mark.parametrize("language", OTHERS)
def test_a_translation_speaks_of_the_same_things(language: str) -> None:
    for message in read(FOLDER / language / "LC_MESSAGES/messages.po"):
        if message.id:
            named = placeholders(originals(message)[-1])
            for text in texts(message):
                # Of one thing, a language may say "one" rather than the number.
                assert placeholders(text) | {"%(num)s"} == named | {"%(num)s"}, message.id


@pytest.mark.parametrize("language", OTHERS)
def test_what_is_compiled_is_what_was_translated(language: str) -> None:
    folder = FOLDER / language / "LC_MESSAGES"
    written = {tuple(originals(each)): texts(each) for each in read(folder / "messages.po") if each.id}
    compiled = {tuple(originals(each)): texts(each) for each in read(folder / "messages.mo") if each.id}
    assert compiled == written


def test_french_punctuation_keeps_to_its_word() -> None:
    """An ordinary space before it would let a line begin with a question mark."""
    for message in read(FOLDER / "fr/LC_MESSAGES/messages.po"):
        for text in texts(message) if message.id else []:
            assert not re.search(r"\S [:;?!»]|« ", text), text


def test_no_template_takes_from_another_what_the_first_reader_was_told() -> None:
    """Jinja keeps what is imported without context, texts in the language of whoever came first among it."""
    lines = [line for path in (ROOT / "app/templates").rglob("*.*") for line in path.read_text().splitlines()]
    imports = [line for line in lines if re.search(r"\{%-? *(from|import) ", line)]
    assert imports
    assert [line for line in imports if "with context" not in line] == []
