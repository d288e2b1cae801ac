"""Every letter in every language, as its reader gets it: kept in tests/letters, to be read by people.

A changed letter fails here first. `make letters` writes the files anew; read what it changed.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import time_machine

from app.newsletters.definitions import LANGUAGES
from tests.correspondence import LETTERS
from tests.service import Letter, Service

KEPT = Path(__file__).parents[1] / "letters"
AT = "2026-11-23 20:00:00+00:00"


@pytest.fixture(autouse=True)
def one_evening() -> Iterator[None]:
    with time_machine.travel(AT, tick=True):
        yield


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
@pytest.mark.parametrize("story", LETTERS)
def test_a_letter_reads_as_it_did(service: Service, story: str, language: str, request: pytest.FixtureRequest) -> None:
    written = as_read(LETTERS[story](service, language))
    file = KEPT / f"{story}.{language}.txt"
    if request.config.getoption("--write-letters"):
        file.write_text(written, encoding="utf-8")
    assert written == file.read_text(encoding="utf-8")


def test_no_file_is_about_a_letter_that_is_gone() -> None:
    told = {f"{story}.{language}.txt" for story in LETTERS for language in LANGUAGES}
    assert {path.name for path in KEPT.iterdir()} == told


def as_read(letter: Letter) -> str:
    """What an inbox list shows, then the text; the HTML part says the same."""
    message = letter.delivered.message
    html = re.sub(r"<head>.*?</head>", "", letter.delivered.part("html"), flags=re.DOTALL)
    said = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html)).strip()
    parts = (
        f"From: {message['From']}\nSubject: {letter.subject}\nPreview: {said[:90]}",
        letter.text.strip(),
        f"HTML:\n{html.strip()}",
    )
    return mask("\n\n".join(parts)) + "\n"


def mask(text: str) -> str:
    """Tokens and codes differ from one letter to the next."""
    text = re.sub(r"(https://subscribe\.example\.org(?:/[a-z]+)+/)[a-z2-7]{45}", r"\1…", text)
    return re.sub(r"\b\d{3}[ \u00a0]\d{3}\b", "123 456", text)
