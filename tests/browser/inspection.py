"""What is looked at on each page, whichever it is: with the browser's own log as the witness."""

import re
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Literal

from axe_playwright_python.sync_playwright import Axe
from babel.messages.pofile import read_po
from playwright.sync_api import FloatRect, Page, ViewportSize, expect

from app.newsletters.definitions import LANGUAGES
from app.web.language import FALLBACK
from tests.browser.conftest import Site, Witness
from tests.commands import ROOT

AXE = Axe()
VIOLATIONS = {"resultTypes": ["violations"]}
PHONE: ViewportSize = {"width": 320, "height": 640}
DESK: ViewportSize = {"width": 1280, "height": 800}
KEPT = "[document.cookie, localStorage.length, sessionStorage.length].join()"
TOO_WIDE = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
WORDS_ENOUGH = 4


@dataclass
class Inspection:
    page: Page
    site: Site
    language: str
    shots: Path | None
    runs_scripts: bool
    """axe-core is one. What it finds, it finds without scripts as well."""
    witness: Witness = field(default_factory=Witness)

    def __post_init__(self) -> None:
        self.witness.watch(self.page)

    def look(self, name: str) -> None:
        """Fail with the name of the page and what is wrong with it."""
        expect(self.page.locator("h1"), name).to_have_count(1)
        assert self.page.locator("html").get_attribute("lang") == self.language, name
        assert self.page.title().strip(), name
        assert self._in_other_languages() == [], name
        assert self.page.evaluate(KEPT) == ",0,0", name
        assert self.page.context.cookies() == [], name
        self._look_in("light", DESK, name)
        self._look_in("dark", DESK, name)
        self._look_in("light", PHONE, name)
        if self.shots:
            self._keep(self.shots / f"{name}.jpg")
        assert self._complaints() == [], name
        assert [url for url in self.witness.requests if not url.startswith(f"{self.site.url}/")] == [], name

    def _look_in(self, scheme: Literal["light", "dark"], size: ViewportSize, name: str) -> None:
        # Else the colours are still on their way from one scheme to the other.
        self.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        self.page.set_viewport_size(size)
        assert self.page.evaluate(TOO_WIDE) <= 0, f"{name} is wider than {size['width']} px"
        if self.runs_scripts:
            found = AXE.run(self.page, options=VIOLATIONS)
            assert found.violations_count == 0, f"{name}, {scheme}: {found.generate_report()}"

    def _keep(self, path: Path) -> None:
        """Two screens at most: the rest of a long page looks like its beginning."""
        path.parent.mkdir(parents=True, exist_ok=True)
        height = min(self.page.evaluate("document.documentElement.scrollHeight"), 2 * PHONE["height"])
        area: FloatRect = {"x": 0, "y": 0, "width": PHONE["width"], "height": height}
        self.page.screenshot(path=path, full_page=True, clip=area, type="jpeg", quality=60)

    def _complaints(self) -> list[str]:
        """That a page answers with a status such as 410 is no news to us."""
        return [each for each in self.witness.complaints if not re.match(r"Failed to load resource: .* 4\d\d", each)]

    def _in_other_languages(self) -> list[str]:
        text = re.sub(r"\s+", " ", f"{self.page.title()} {self.page.locator('body').inner_text()}")
        return [said for said in _said_elsewhere(self.language) if said in text]


@cache
def _said_elsewhere(language: str) -> list[str]:
    """What is said in any other language, as far as it is long enough to be no name, and not said in this one too."""
    own = set(_said_in(language))
    return [each for other in LANGUAGES if other != language for each in _said_in(other) if each not in own]


@cache
def _said_in(language: str) -> list[str]:
    """The parts of its messages between placeholders."""
    path = "messages.pot" if language == FALLBACK else f"{language}/LC_MESSAGES/messages.po"
    with (ROOT / "app/translations" / path).open("rb") as file:
        messages = [each.id if language == FALLBACK else each.string for each in read_po(file) if each.id]
    texts = [text for each in messages for text in ([each] if isinstance(each, str) else each or ())]
    parts = [part.strip(" .,:;?") for text in texts for part in re.split(r"%\(\w+\)s", text)]
    return [part for part in parts if len(part.split()) >= WORDS_ENOUGH]


def assert_all_from(site: Site, witness: Witness) -> None:
    assert witness.requests
    elsewhere = [url for url in witness.requests if not url.startswith((f"{site.url}/", "data:"))]
    assert elsewhere == []
