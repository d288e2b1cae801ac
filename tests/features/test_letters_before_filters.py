"""What spam filters would count against letters, held without them; `trials/spam.py` shows the letters to two."""

import re

import pytest

from app.newsletters.definitions import LANGUAGES
from tests.catalogues import catalogue
from tests.correspondence import LETTERS
from tests.features.conftest import OpenService
from tests.service import ADA, Letter, Service

COUNTED_FROM = 200
"""Characters of a subject, for rspamd."""
KNOWN_BY = {
    "fr": {
        *("avec", "ces", "dans", "elle", "est", "même", "par", "pas", "pour", "qui", "sera", "ses", "sont", "sur"),
        *("une", "votre", "vous", "été"),
    },
    "de": {
        *("auf", "bei", "bis", "dann", "diese", "diesen", "eine", "für", "haben", "hat", "ihre", "ist", "nicht"),
        *("nichts", "oder", "selbst", "sich", "sie", "und", "von", "wieder", "wurde", "zu", "zum"),
    },
}
"""Words by which rspamd knows a language that is written with accents. In others, it takes accents for a trick."""


@pytest.fixture
def engine() -> str:
    """What a letter says does not depend on the database."""
    return "sqlite"


@pytest.fixture
def wordless(open_service: OpenService) -> Service:
    """A service whose catalogue has no word of any language."""
    return open_service(catalogue(title=dict.fromkeys(LANGUAGES, "Xyz"), purpose=dict.fromkeys(LANGUAGES, "Xyz")))


@pytest.mark.parametrize("language", KNOWN_BY)
@pytest.mark.parametrize("kind", LETTERS)
def test_a_filter_knows_a_letter_by_its_own_words(wordless: Service, kind: str, language: str) -> None:
    letter = LETTERS[kind](wordless, language)
    # It needs four, each between ASCII spaces or marks.
    words = set(re.split(r"[^\w\x80-\U0010ffff]+", letter.text.lower(), flags=re.ASCII))
    assert len(words & KNOWN_BY[language]) >= 4


def several(open_service: OpenService, titles: list[str]) -> Letter:
    """The letter that asks for newsletters with these titles."""
    (weekly, *_) = catalogue()["newsletter"]
    offered = [
        {**weekly, "slug": f"s{number}", "title": dict.fromkeys(LANGUAGES, title)}
        for number, title in enumerate(titles)
    ]
    service = open_service({**catalogue(), "newsletter": offered})
    asked = [each["slug"] for each in offered]
    service.post("/subscribe", json={"email": ADA, "newsletters": asked, "consent": True, "language": "en"})
    return service.letter()


def test_a_subject_names_as_many_newsletters_as_there_is_room_for(open_service: OpenService) -> None:
    titles = [f"All about readings and signings in shop {number}" for number in range(6)]
    letter = several(open_service, titles)
    assert letter.subject == f"Please confirm: {titles[0]}, {titles[1]}, {titles[2]}, …"
    assert len(letter.subject) < COUNTED_FROM
    assert f"<title>{letter.subject}</title>" in letter.delivered.part("html")
    for part in (letter.text, letter.delivered.part("html")):
        assert [title for title in titles if title not in part] == []


def test_a_subject_names_all_newsletters_where_there_is_room(open_service: OpenService) -> None:
    assert several(open_service, ["One", "Two", "Three"]).subject == "Please confirm: One, Two, Three"


def test_a_subject_names_one_newsletter_at_any_length(open_service: OpenService) -> None:
    assert several(open_service, ["w" * 300, "Two"]).subject == f"Please confirm: {'w' * 300}, …"
