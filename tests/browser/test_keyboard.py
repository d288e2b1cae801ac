"""The whole loop without a mouse: every control can be reached, shows that it has the focus, and answers to keys."""

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import Site
from tests.browser.steps import newest_link

MOST_STOPS = 40
HAS_FOCUS = "element => element === document.activeElement"
OUTLINE = "element => getComputedStyle(element).outlineStyle"


def reach(page: Page, control: Locator) -> None:
    """By the tab key alone, and seen all the way."""
    for _ in range(MOST_STOPS):
        page.keyboard.press("Tab")
        focused = page.locator(":focus")
        if focused.count():
            assert focused.evaluate(OUTLINE) != "none", focused.evaluate("element => element.outerHTML")
        if control.evaluate(HAS_FOCUS):
            return
    pytest.fail(f"no way to {control} by keyboard")


def press(page: Page, control: Locator) -> None:
    reach(page, control)
    # Whoever goes elsewhere before the answer has come leaves nothing pressed.
    with page.expect_navigation():
        page.keyboard.press("Enter")


def test_sign_up_confirm_look_change_and_leave_by_keyboard_alone(page: Page, long_lived_site: Site) -> None:
    site, ada = long_lived_site, "ada.by.keyboard@example.org"
    page.goto(f"{site.url}/newsletters/weekly?language=en")
    site.age(page)
    reach(page, page.locator("#email"))
    page.keyboard.type(ada)
    reach(page, page.locator("#consent"))
    page.keyboard.press("Space")
    press(page, page.locator('form[action*="/subscribe"] button'))
    page.wait_for_url("**/inbox*")

    page.goto(newest_link(site, ada, 0))
    press(page, page.locator("main button").first)
    page.goto(f"{site.url}/preferences")
    reach(page, page.locator('input[name="email"]'))
    page.keyboard.type(ada)
    page.keyboard.press("Enter")
    page.wait_for_load_state()

    page.goto(newest_link(site, ada, 1))
    reach(page, page.locator('select[name="language"]'))
    page.keyboard.type("Fran")
    press(page, page.locator('form:has(select[name="language"]) button'))
    expect(page.locator("html")).to_have_attribute("lang", "fr")
    press(page, page.locator('button[name="leave"]').first)
    expect(page.locator('button[name="leave"]')).to_have_count(0)
