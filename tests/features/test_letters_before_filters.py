"""What spam filters would count against letters, held without them."""

import pytest

from app.newsletters.definitions import LANGUAGES
from tests.catalogues import catalogue
from tests.features.conftest import OpenService
from tests.service import ADA, Letter

COUNTED_FROM = 200
"""Characters of a subject, for rspamd."""


@pytest.fixture
def engine() -> str:
    """What a letter says does not depend on the database."""
    return "sqlite"


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
