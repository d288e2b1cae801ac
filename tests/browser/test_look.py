"""One look: on a small phone and a wide screen, from left to right and from right to left, light and dark."""

import re
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Site, Witness
from tests.service import ADA

PHONE = {"width": 320, "height": 640}
DESKTOP = {"width": 1280, "height": 800}
LANGUAGES = ("nl", "fr", "de", "en")
PAGES = (
    "/",
    "/newsletters/weekly",
    "/newsletters/weekly?also=events",
    "/newsletters/weekly/inbox?mailbox=gmail&attempt=an-attempt-of-22-chars",
    "/newsletters/weekly/embed",
    "/newsletters/nowhere",
    "/mailbox",
)
BUDGET = 30_000
SMALL = "els => els.filter(e => { const r = e.getBoundingClientRect(); return Math.min(r.width, r.height) < 44 })"
AXE = Axe()


@pytest.fixture
def site(long_lived_site: Site) -> Site:
    return long_lived_site


def in_language(path: str, language: str) -> str:
    return f"{path}{'&' if '?' in path else '?'}language={language}"


@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_every_page_fits_and_is_for_everyone(browser: Browser, site: Site, size: dict[str, int]) -> None:
    for scheme in ("light", "dark"):
        with browser.new_context(viewport=size, color_scheme=scheme) as context:  # type: ignore[arg-type]
            page = context.new_page()
            for path in PAGES:
                page.goto(site.url + in_language(path, "en"))
                assert_fits(page)
                assert page.get_by_role("heading", level=1).count() == 1, path
                for landmark in ("banner", "main", "contentinfo"):
                    expect(page.get_by_role(landmark)).to_be_visible()
                found = AXE.run(page)
                assert found.violations_count == 0, f"{path} {scheme}: {found.generate_report()}"


def test_every_page_fits_from_right_to_left(browser: Browser, site: Site) -> None:
    with browser.new_context(viewport=PHONE) as context:  # type: ignore[arg-type]
        page = context.new_page()
        for path in PAGES:
            page.goto(site.url + in_language(path, "en"))
            page.evaluate("document.documentElement.dir = 'rtl'")
            assert_fits(page)
        page.goto(f"{site.url}/newsletters/weekly?language=en")
        page.evaluate("document.documentElement.dir = 'rtl'")
        box, words = page.locator("#consent").bounding_box(), page.locator("label[for=consent]").bounding_box()
        assert box
        assert words
        assert box["x"] > words["x"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_button_is_above_the_fold_on_a_small_phone(page: Page, site: Site, language: str) -> None:
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    page.goto(f"{site.url}/newsletters/weekly?language={language}")
    button = page.get_by_role("button").bounding_box()
    assert button
    assert button["y"] + button["height"] <= PHONE["height"]


def test_whatever_is_pressed_is_large_enough_for_a_thumb(page: Page, site: Site) -> None:
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    for path in PAGES:
        page.goto(site.url + in_language(path, "en"))
        targets = page.locator("main button, main .button, .choice label, input[type=email], nav a, footer a")
        small = targets.evaluate_all(f"els => ({SMALL})(els).map(e => e.outerHTML)")
        assert small == [], path


def test_the_keyboard_leads_from_field_to_button_and_is_seen(page: Page, site: Site) -> None:
    page.goto(f"{site.url}/newsletters/weekly?language=en")
    for selector in ("#email", "#consent", "button"):
        page.keyboard.press("Tab")
        expect(page.locator(selector)).to_be_focused()
        outline = page.locator(selector).evaluate("e => getComputedStyle(e).outlineWidth")
        assert outline == "3px"
    site.age(page)
    page.locator("#email").focus()
    page.keyboard.type(ADA)
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    page.keyboard.press("Enter")
    page.wait_for_url("**/newsletters/weekly/inbox*")


def test_mistakes_are_read_out_and_lead_to_their_fields(page_without_javascript: Page, site: Site) -> None:
    page = page_without_javascript
    page.goto(f"{site.url}/newsletters/weekly?also=events&language=en")
    site.age(page)
    page.get_by_label("Your e-mail address").fill("ada@localhost")
    page.get_by_role("button", name="Subscribe").click()
    summary = page.get_by_role("alert")
    expect(summary).to_be_focused()
    expect(page.get_by_label("Your e-mail address")).to_have_accessible_description(re.compile("not an e-mail address"))
    assert page.get_by_role("navigation").count() == 0
    summary.get_by_role("link").first.click()
    assert page.url.endswith("#email")
    page.get_by_label("Your e-mail address").fill(ADA)
    page.get_by_role("button", name="Subscribe").click()
    expect(page.get_by_role("alert")).to_contain_text("Tick at least one newsletter.")
    expect(page.get_by_role("group")).to_have_accessible_description("Tick at least one newsletter.")
    page.get_by_label("Yes, send me the events by e-mail.").check()
    page.get_by_role("button", name="Subscribe").click()
    page.wait_for_url("**/newsletters/events/inbox*")


def test_the_language_is_changed_on_the_page_that_one_reads(page_without_javascript: Page, site: Site) -> None:
    page = page_without_javascript
    page.goto(f"{site.url}/newsletters/weekly?also=events&language=en")
    page.get_by_role("navigation").get_by_role("link", name="Nederlands").click()
    assert page.url == f"{site.url}/newsletters/weekly?also=events&language=nl"
    expect(page.get_by_text("Ja, stuur mij de agenda per e-mail.")).to_be_visible()
    assert page.locator("html").get_attribute("lang") == "nl"
    chosen = page.locator("[aria-current=true]")
    assert [each.get_attribute("hreflang") for each in chosen.all()] == ["nl"]


@pytest.mark.parametrize("path", PAGES)
def test_all_that_a_page_loads_is_little_and_ours(page: Page, site: Site, path: str) -> None:
    witness = Witness()
    witness.watch(page)
    weight: list[int] = []
    page.on("response", lambda response: weight.append(len(response.body())))
    page.goto(site.url + in_language(path, "en"), wait_until="networkidle")
    assert [each for each in witness.complaints if "404" not in each] == []
    assert all(each.startswith(f"{site.url}/") for each in witness.requests)
    assert 2_000 < sum(weight) < BUDGET
    assert page.context.cookies() == []
    assert page.evaluate("localStorage.length + sessionStorage.length") == 0


def test_a_form_to_copy_with_its_script_is_little_too(site: Site) -> None:
    served = sum((Path("app/static") / name).stat().st_size for name in ("jawel.css", "jawel.js", "icon.svg"))
    assert served < BUDGET - 10_000


def assert_fits(page: Page) -> None:
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"), page.url
