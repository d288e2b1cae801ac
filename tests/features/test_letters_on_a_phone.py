"""Letters on the smallest phones: nothing is cut off, nothing shrinks, and the code is in one piece."""

import pytest
from playwright.sync_api import Page

from tests.correspondence import LETTERS
from tests.service import Service

LANGUAGES = ["nl", "fr", "de", "en"]


@pytest.fixture
def engine() -> str:
    """What a letter looks like does not depend on the database."""
    return "sqlite"


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", LETTERS)
def test_a_letter_is_no_wider_than_a_phone(service: Service, page: Page, kind: str, language: str) -> None:
    page.set_content(LETTERS[kind](service, language).delivered.part("html"))
    for width in (320, 390):
        for scheme in ("light", "dark"):
            page.set_viewport_size({"width": width, "height": 640})
            page.emulate_media(color_scheme=scheme)
            assert page.evaluate("document.documentElement.scrollWidth") <= width
    sizes = page.evaluate(
        "[...document.querySelectorAll('p, li, a')].map(e => parseFloat(getComputedStyle(e).fontSize))"
    )
    assert min(sizes) >= 16


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_code_is_large_and_alone_on_its_line(service: Service, page: Page, language: str) -> None:
    page.set_viewport_size({"width": 320, "height": 640})
    letter = LETTERS["confirmation"](service, language)
    page.set_content(letter.delivered.part("html"))
    code = page.locator("b")
    assert code.inner_text().replace(" ", "") == letter.code.replace(" ", "")
    assert code.evaluate("e => parseFloat(getComputedStyle(e).fontSize)") >= 24
    assert code.evaluate("e => e.getClientRects().length") == 1
    lines = page.locator("p", has=code).inner_text().splitlines()
    assert code.inner_text() in lines
